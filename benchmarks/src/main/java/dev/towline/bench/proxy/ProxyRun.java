package dev.towline.bench.proxy;

import dev.towline.bench.relay.LoadProcess;
import dev.towline.cli.login.AdminClient;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.ListAlertsRequest;
import dev.towline.testing.Await;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;

/**
 * A manager, two proxies and many agents: enrolls them, opens their sessions, leaves them idle,
 * gives them directives, kills the manager, kills a proxy.
 */
public final class ProxyRun {
  private static final int GENERATORS = 2;

  /** Of all agents, those that come before any time is taken: the programs compile meanwhile. */
  private static final int WARM_UP = 2_000;

  private static final int ENROLLED_FIRST = 5_000;
  private static final int KILLED_UNDER = 10_000;
  private static final int WINDOW = 48;
  private static final int DIRECTIVES = 500;
  private static final Duration SETTLING = Duration.ofSeconds(75);
  private static final Duration IDLE = Duration.ofSeconds(120);

  /** Where there are too few agents for a figure. */
  private static final Duration SHORT = Duration.ofSeconds(5);

  private static final int FEW = 10_000;
  private static final Duration ONLINE_LIMIT = Duration.ofMinutes(5);

  private final Path repository;
  private final int agents;
  private final boolean few;
  private final DirectiveTimer timer;
  private final Consumer<String> lines;

  /** Gives an agent a directive and waits for its end. */
  public interface DirectiveTimer {
    void run(AdminClient admin, String host);
  }

  /** Takes a name, a value, a unit, the goal, and whether lower is better. */
  public interface Figures {
    void add(String name, double value, String unit, double goal, boolean lowerIsBetter);
  }

  /**
   * @param agents 19,000 for the figures; fewer to try something
   */
  public ProxyRun(Path repository, int agents, DirectiveTimer timer, Consumer<String> lines) {
    this.repository = repository;
    this.agents = agents / GENERATORS * GENERATORS;
    this.few = agents < FEW;
    this.timer = timer;
    this.lines = lines;
  }

  public void run(Figures figures) throws Exception {
    Path directory = Files.createTempDirectory("towline-bench-proxy-");
    LoopbackAddresses addresses = LoopbackAddresses.free(new Random());
    List<LoadProcess> generators = new ArrayList<>();
    try (ProcessFleet fleet = new ProcessFleet(repository, directory, addresses, List.of());
        ExecutorService all = Executors.newVirtualThreadPerTaskExecutor();
        var wire = new WireCount(addresses.host(2), 443)) {
      fleet.javaOptions("-Xmx3g");
      Program manager = fleet.startManager();
      fleet.javaOptions("");
      Program proxy = fleet.startProxy();
      double emptyMib = proxy.residentKib() / 1024.0;
      for (int i = 0; i < GENERATORS; i++) {
        generators.add(LoadProcess.start(List.of("-Xmx3g"), "agents", addresses.host(101 + i)));
      }
      var load = new Load(generators, all, agents / GENERATORS);
      load.hosts();
      String at = addresses.host(2) + ":443";
      Path enrollment = enrollment(fleet, directory);
      int warm = Math.min(WARM_UP, agents / 5) / GENERATORS;
      load.longest("enroll", 0, warm, at, enrollment, WINDOW);
      load.longest("open", 0, warm, at, WINDOW);
      int counted = agents - warm * GENERATORS;
      var processors = new Processors(manager, proxy);
      enroll(load, warm, at, enrollment, figures);
      processors.note("an enrollment", counted);
      open(load, warm, at, proxy, emptyMib, figures);
      processors.note("a session", counted);
      idle(load, proxy, wire, emptyMib, figures);
      directives(fleet.admin(), figures);
      connections(addresses, proxy, figures);
      managerRestart(fleet, manager, proxy, load, figures);
      failover(fleet, proxy, load, addresses, figures);
    } finally {
      generators.forEach(LoadProcess::close);
      ProcessFleet.deleteTree(directory);
    }
  }

  private static Path enrollment(ProcessFleet fleet, Path directory) throws IOException {
    return Files.writeString(
        directory.resolve("load-enrollment.json"),
        fleet
            .admin()
            .installCommands()
            .createInstallCommand(
                CreateInstallCommandRequest.newBuilder()
                    .setOs("linux")
                    .setGroup("load")
                    .setExpiresInMs(Duration.ofHours(24).toMillis())
                    .setProxyCluster("cluster-1")
                    .build())
            .getEnrollmentFile());
  }

  private void enroll(Load load, int warm, String at, Path enrollment, Figures figures)
      throws Exception {
    int first = Math.min(ENROLLED_FIRST / GENERATORS, load.each - warm);
    double seconds = load.longest("enroll", warm, warm + first, at, enrollment, WINDOW);
    note("%d enrolled in %.1f s", first * GENERATORS, seconds);
    figures.add(
        "proxy.enroll5000_s", seconds * ENROLLED_FIRST / (first * GENERATORS), "s", 20, true);
    int rest = load.each - warm - first;
    if (rest > 0) {
      double more = load.longest("enroll", warm + first, load.each, at, enrollment, WINDOW);
      note("%d more in %.1f s", rest * GENERATORS, more);
    }
  }

  private void open(Load load, int warm, String at, Program proxy, double emptyMib, Figures figures)
      throws Exception {
    int opened = (load.each - warm) * GENERATORS;
    double seconds = load.longest("open", warm, load.each, at, WINDOW);
    note(
        "%d sessions in %.1f s; the proxy has %.0f MiB, empty it had %.0f",
        opened, seconds, proxy.residentKib() / 1024.0, emptyMib);
    figures.add("proxy.sessions_per_s", opened / seconds, "1/s", 500, false);
  }

  private void idle(Load load, Program proxy, WireCount wire, double emptyMib, Figures figures)
      throws Exception {
    pass(few ? SHORT : SETTLING);
    Duration before = proxy.processorTime();
    long bytes = wire.bytes();
    long from = System.nanoTime();
    pass(few ? SHORT : IDLE);
    double seconds = (System.nanoTime() - from) / 1e9;
    double cpu = proxy.processorTime().minus(before).toMillis() / 1e3;
    double kbit = (wire.bytes() - bytes) * 8 / 1e3 / seconds / agents;
    double mib = proxy.residentKib() / 1024.0;
    load.tell();
    figures.add("proxy.agents", load.online(), "", agents, false);
    figures.add("proxy.rss_mib", mib, "MiB", 900, true);
    figures.add("proxy.rss_per_agent_kib", (mib - emptyMib) * 1024 / agents, "KiB", 36, true);
    figures.add("proxy.idle_cpu_percent", 100 * cpu / seconds, "%", 5, true);
    figures.add("proxy.idle_kbit_per_agent", kbit, "Kbit/s", 0.25, true);
  }

  private void directives(AdminClient admin, Figures figures) {
    Random random = new Random(1);
    List<Double> times = new ArrayList<>();
    for (int i = 0; i < DIRECTIVES; i++) {
      String host = hostName(random.nextInt(GENERATORS), random.nextInt(agents / GENERATORS));
      long from = System.nanoTime();
      timer.run(admin, host);
      times.add((System.nanoTime() - from) / 1e6);
    }
    times.sort(null);
    note("directives: p50 %.1f ms", times.get(times.size() / 2));
    figures.add("proxy.directive.p99_ms", times.get(times.size() * 99 / 100), "ms", 250, true);
  }

  /** Of the proxy, to the manager's port for sessions. */
  private void connections(LoopbackAddresses addresses, Program proxy, Figures figures)
      throws IOException {
    figures.add(
        "proxy.uplink_connections",
        Sockets.connections(proxy.pid(), addresses.host(1), 7443),
        "",
        4,
        true);
  }

  private void managerRestart(
      ProcessFleet fleet, Program manager, Program proxy, Load load, Figures figures)
      throws Exception {
    int held = Math.min(KILLED_UNDER, agents) / GENERATORS;
    load.ask("stop", held, load.each);
    long alerts = alerts(fleet.admin());
    long welcomes = load.welcomes();
    Duration spent = proxy.processorTime();
    manager.kill();
    long killed = System.nanoTime();
    manager.start().awaitLine("towline-manager ready", ONLINE_LIMIT);
    long ready = System.nanoTime();
    load.awaitWelcomes(welcomes + (long) held * GENERATORS, ONLINE_LIMIT);
    double seconds = (System.nanoTime() - ready) / 1e9;
    note(
        "manager: ready %.1f s after it was killed under %d agents, all of them online after"
            + " %.1f s more",
        (ready - killed) / 1e9, held * GENERATORS, seconds);
    note(
        "processor time of that for a session: manager %.2f ms with its start, proxy %.2f ms",
        millis(manager.processorTime()) / held / GENERATORS,
        millis(proxy.processorTime().minus(spent)) / held / GENERATORS);
    load.tell();
    figures.add(
        "proxy.manager_restart_10000_s",
        seconds * KILLED_UNDER / (held * GENERATORS),
        "s",
        15,
        true);
    pass(Duration.ofSeconds(20));
    figures.add("proxy.false_offline", alerts(fleet.admin()) - alerts, "", 0, true);
  }

  private static long alerts(AdminClient admin) {
    return admin
        .alerts()
        .listAlerts(
            ListAlertsRequest.newBuilder().setAll(true).setMembers(true).setPageSize(1000).build())
        .getAlertsCount();
  }

  private void failover(
      ProcessFleet fleet, Program proxy, Load load, LoopbackAddresses addresses, Figures figures)
      throws Exception {
    fleet.towline(
        "proxies", "create-cluster", "cluster-2", "--address", addresses.host(4), "--port", "443");
    fleet.startProxy("proxy-2", "cluster-2", addresses.host(4));
    load.ask("servers", addresses.host(2) + ":443," + addresses.host(4) + ":443");
    long held = load.online();
    long welcomes = load.welcomes();
    long from = System.nanoTime();
    proxy.kill();
    load.awaitWelcomes(welcomes + held, ONLINE_LIMIT);
    double seconds = (System.nanoTime() - from) / 1e9;
    note("%d agents on the other proxy %.1f s after theirs was killed", held, seconds);
    load.tell();
    figures.add("proxy.failover_10000_s", seconds * KILLED_UNDER / held, "s", 30, true);
  }

  private void pass(Duration time) {
    long from = System.nanoTime();
    Await.until(
        time.toSeconds() + " s to pass",
        time.plusSeconds(60),
        () -> System.nanoTime() - from > time.toNanos());
  }

  private void note(String format, Object... values) {
    lines.accept("  " + String.format(Locale.ROOT, format, values));
  }

  private static String hostName(int generator, int number) {
    return prefix(generator) + number;
  }

  private static String prefix(int generator) {
    return "load-" + generator + "-";
  }

  private static double millis(Duration time) {
    return time.toNanos() / 1e6;
  }

  /** Processor time of both programs since the last note. */
  private final class Processors {
    private final Program manager;
    private final Program proxy;
    private Duration ofManager;
    private Duration ofProxy;

    Processors(Program manager, Program proxy) throws IOException {
      this.manager = manager;
      this.proxy = proxy;
      this.ofManager = manager.processorTime();
      this.ofProxy = proxy.processorTime();
    }

    void note(String what, int count) throws IOException {
      Duration managerNow = manager.processorTime();
      Duration proxyNow = proxy.processorTime();
      ProxyRun.this.note(
          "processor time of %s: manager %.2f ms, proxy %.2f ms",
          what,
          millis(managerNow.minus(ofManager)) / count,
          millis(proxyNow.minus(ofProxy)) / count);
      ofManager = managerNow;
      ofProxy = proxyNow;
    }
  }

  /** All generators at once. */
  private final class Load {
    private final List<LoadProcess> processes;
    private final ExecutorService all;
    private final int each;

    Load(List<LoadProcess> processes, ExecutorService all, int each) {
      this.processes = processes;
      this.all = all;
      this.each = each;
    }

    void hosts() throws Exception {
      List<Callable<String[]>> tasks = new ArrayList<>();
      for (int i = 0; i < processes.size(); i++) {
        LoadProcess process = processes.get(i);
        String prefix = prefix(i);
        tasks.add(() -> process.ask("hosts", each, prefix));
      }
      results(tasks);
    }

    List<String[]> ask(Object... words) throws Exception {
      List<Callable<String[]>> tasks = new ArrayList<>();
      processes.forEach(process -> tasks.add(() -> process.ask(words)));
      return results(tasks);
    }

    private List<String[]> results(List<Callable<String[]>> tasks) throws Exception {
      List<String[]> answers = new ArrayList<>();
      for (Future<String[]> future : all.invokeAll(tasks)) {
        answers.add(future.get());
      }
      return answers;
    }

    /** Of the first word that each answers. */
    double longest(Object... words) throws Exception {
      List<String[]> answers = ask(words);
      for (String[] answer : answers) {
        if (answer.length > 1 && !answer[1].equals("0")) {
          tell();
          throw new IllegalStateException(answer[1] + " did not succeed");
        }
      }
      return answers.stream().mapToDouble(a -> Double.parseDouble(a[0])).max().orElse(0);
    }

    long online() throws Exception {
      return sum(0);
    }

    long welcomes() throws Exception {
      return sum(1);
    }

    private long sum(int word) throws Exception {
      return ask("numbers").stream().mapToLong(a -> Long.parseLong(a[word])).sum();
    }

    void awaitWelcomes(long count, Duration limit) throws Exception {
      long deadline = System.nanoTime() + limit.toNanos();
      while (welcomes() < count) {
        if (System.nanoTime() > deadline) {
          tell();
          throw new IllegalStateException(
              "welcomes: " + welcomes() + " (expected: " + count + ") within " + limit);
        }
        Thread.sleep(20);
      }
    }

    /** What ended calls since the last time. */
    void tell() throws Exception {
      for (String[] answer : ask("ends")) {
        if (!answer[0].isEmpty() && !answer[0].equals("{}")) {
          note("ended: %s", answer[0].replace('_', ' '));
        }
      }
    }
  }
}
