package dev.towline.cli;

/**
 * What a site needs for its clients (P6), from the sizes that a proxy is planned for and what a
 * prototype took. They are goals until they have been measured.
 *
 * @param hosts clients of the site
 * @param kbitPerClient what each sends in logs and counters, beside its heartbeats
 */
record ProxySize(int hosts, double kbitPerClient) {
  /** Most sessions of one process. */
  static final int CLIENTS_PER_PROXY = 19_000;

  private static final double IDLE_KBIT = 0.25;
  private static final double RESIDENT_KIB = 36;
  private static final int BASE_MIB = 192;
  private static final double HANDSHAKES_PER_CORE = 500;
  private static final double HEARTBEAT_MICROS = 15;

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
    return clientsPerProxy() * HEARTBEAT_MICROS / 60 / 10_000;
  }

  /** Until all clients of a proxy that failed have a session on another one. */
  double failoverSeconds() {
    return clientsPerProxy() / HANDSHAKES_PER_CORE;
  }

  double uplinkMbit() {
    return hosts * (IDLE_KBIT + kbitPerClient) / 1000;
  }
}
