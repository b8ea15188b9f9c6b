package dev.towline.cli;

/**
 * What a site needs for its clients (P6), from what {@code bin/bench proxy} measured. The same
 * figures stand in docs/performance.md and are replaced together with them.
 *
 * @param hosts clients of the site
 * @param kbitPerClient what each sends in logs and counters, beside its heartbeats
 */
record ProxySize(int hosts, double kbitPerClient) {
  /** Where the figures are from. */
  static final String BASIS =
      "measured with 19,000 agents on 2 cores (2026-11-23, see docs/performance.md): "
          + "25.9 KiB and 0.081 Kbit/s for each, 233 sessions/s, 8.8 % of a core idle";

  /** Most sessions of one process. */
  static final int CLIENTS_PER_PROXY = 19_000;

  private static final double IDLE_KBIT = 0.081;

  /** Beyond what the program takes without clients. */
  private static final double RESIDENT_KIB = 25.9;

  /** Without clients, as it starts. */
  private static final int BASE_MIB = 192;

  private static final double SESSIONS_PER_SECOND = 233;
  private static final double IDLE_CORE_PERCENT = 8.8 / 19_000;

  /** One more than carries them: any one may fail or be drained. */
  int proxies() {
    return carrying() + 1;
  }

  int carrying() {
    return Math.max(1, Math.ceilDiv(hosts, CLIENTS_PER_PROXY));
  }

  /** With one proxy down. */
  int clientsPerProxy() {
    return Math.ceilDiv(hosts, carrying());
  }

  int memoryMib() {
    return BASE_MIB + (int) Math.ceil(clientsPerProxy() * RESIDENT_KIB / 1024);
  }

  double idleCorePercent() {
    return clientsPerProxy() * IDLE_CORE_PERCENT;
  }

  /** Until all clients of a proxy that failed have a session on another one. */
  double failoverSeconds() {
    return clientsPerProxy() / SESSIONS_PER_SECOND;
  }

  double uplinkMbit() {
    return hosts * (IDLE_KBIT + kbitPerClient) / 1000;
  }
}
