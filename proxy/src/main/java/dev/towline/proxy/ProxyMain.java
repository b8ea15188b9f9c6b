package dev.towline.proxy;

import dev.towline.proxy.config.ProxyConfig;
import dev.towline.proxy.config.ProxySettings;
import dev.towline.proxy.config.SettingsFiles;
import dev.towline.proxy.control.StopRequest;
import dev.towline.proxy.status.ProxyStatus;
import dev.towline.proxy.status.StatusFile;
import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.data.DataLock;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.Membership;
import dev.towline.runtime.facts.HostFactsReader;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.program.CommandGroup;
import dev.towline.runtime.program.ProgramLine;
import dev.towline.runtime.session.RevocationRegistry;
import dev.towline.runtime.telemetry.BuildInfo;
import dev.towline.runtime.tls.FleetChannels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The command line of towline-proxy. */
@Command(
    name = "towline-proxy",
    description = "Carries agents that cannot reach the manager.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = {
      ProxyMain.Run.class,
      ProxyMain.Status.class,
      ProxyMain.Stop.class,
      ProxyMain.Config.class
    })
public final class ProxyMain extends CommandGroup {
  private static final Logger log = LoggerFactory.getLogger(ProxyMain.class);
  private static final Path ETC = Path.of("/etc/towline/proxy.yaml");

  private ProxyMain() {}

  public static void main(String[] args) {
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    return ProgramLine.of(new ProxyMain());
  }

  /** Where the settings are, and those that the command line sets. */
  static final class Where {
    @Option(
        names = "--data",
        paramLabel = "DIR",
        description = "where the proxy keeps its state (default: ${DEFAULT-VALUE})",
        defaultValue = "/var/lib/towline/proxy")
    Path data = Path.of("");

    @Option(
        names = "--config",
        paramLabel = "FILE",
        description = "settings; by default /etc/towline/proxy.yaml, where there is one")
    @Nullable Path config;

    @Option(names = "--listen", paramLabel = "ADDR", description = "address to listen on")
    @Nullable String listen;

    @Option(names = "--port", paramLabel = "PORT", description = "where agents dial")
    @Nullable String port;

    @Option(
        names = "--http-port",
        paramLabel = "PORT",
        description = "plain HTTP for installing; may be given again")
    @Nullable List<String> httpPorts;

    @Option(
        names = "--https-port",
        paramLabel = "PORT",
        description = "HTTPS for updates; may be given again")
    @Nullable List<String> httpsPorts;

    @Option(
        names = "--tls-profile",
        paramLabel = "PROFILE",
        description = "what it speaks: modern, strong, compatible or fips")
    @Nullable String tlsProfile;

    ProxySettings settings() throws IOException {
      var settings = new ProxySettings();
      Path kept = kept();
      settings.with(SettingsFiles.readKept(kept), kept.toString());
      if (config != null) {
        settings.with(SettingsFiles.readYaml(config), config.toString());
      } else if (Files.exists(ETC)) {
        settings.with(SettingsFiles.readYaml(ETC), ETC.toString());
      }
      settings.withEnvironment(System.getenv());
      Map<String, List<String>> flags = new LinkedHashMap<>();
      if (listen != null) {
        flags.put("listen", List.of(listen));
      }
      if (port != null) {
        flags.put("port", List.of(port));
      }
      if (tlsProfile != null) {
        flags.put("tls-profile", List.of(tlsProfile));
      }
      if (httpPorts != null) {
        flags.put("http-ports", httpPorts);
      }
      if (httpsPorts != null) {
        flags.put("https-ports", httpsPorts);
      }
      return settings.with(flags, SettingValue.COMMAND_LINE);
    }

    Path kept() {
      return data.resolve("config.json");
    }
  }

  @Command(
      name = "run",
      description = "Runs the proxy, enrolled first where it isn't.",
      mixinStandardHelpOptions = true)
  static final class Run implements Callable<Integer> {
    @Mixin private final Where where = new Where();

    @Option(
        names = "--enrollment",
        paramLabel = "FILE",
        description = "what an install command left; deleted once used")
    private @Nullable Path enrollment;

    @Override
    public Integer call() throws IOException, InterruptedException {
      // Read by the JDK's HTTP server when it is first used.
      System.setProperty("sun.net.httpserver.maxReqTime", "20");
      System.setProperty("jdk.httpserver.maxConnections", "2000");
      var clock = Clock.systemUTC();
      var random = new SecureRandom();
      ThreadFactory threads = Thread.ofPlatform().name("towline-proxy-", 0).daemon().factory();
      try (DataLock _ = DataLock.take(where.data, "proxy");
          var channels = new FleetChannels(threads)) {
        var revocations = RevocationRegistry.open(where.data.resolve("revocations"));
        var facts = new HostFactsReader(Path.of("/"), BuildInfo.version());
        // The process ends with a signal that comes before there is an answer.
        var membership =
            new Membership(
                where.data,
                Role.PROXY,
                new EnrollmentClient(channels, clock, random),
                clock,
                random,
                new CountDownLatch(1));
        return switch (membership.establish(
            Optional.ofNullable(enrollment), "", facts::read, revocations)) {
          case Membership.Start.Ready ready ->
              serve(
                  new Proxy.World(
                      where.data,
                      ready.member(),
                      revocations,
                      channels,
                      facts.read(""),
                      clock,
                      random,
                      threads));
          case Membership.Start.Refused(String line) -> {
            System.err.println("towline-proxy: refused: " + line);
            yield ProgramLine.REFUSED;
          }
          case Membership.Start.Stopped() -> 0;
        };
      }
    }

    private int serve(Proxy.World world) throws IOException, InterruptedException {
      ProxyConfig config = where.settings().read();
      log.info("towline-proxy {} is {}", BuildInfo.version(), world.member().self());
      Proxy proxy = Proxy.start(config, world);
      Runtime.getRuntime().addShutdownHook(new Thread(proxy::close, "stop"));
      if (proxy.awaitEnd()) {
        proxy.close();
        log.info("stopped; started again on this host only");
        // What keeps programs running leaves alone one that ends like this.
        return ProgramLine.AT_REST;
      }
      return ProgramLine.FAILED;
    }
  }

  @Command(
      name = "status",
      description = "Tells how the proxy on this host fares; status 0 when it is online.",
      mixinStandardHelpOptions = true)
  static final class Status implements Callable<Integer> {
    @Mixin private final Where where = new Where();
    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
      Optional<ProxyStatus> status =
          new StatusFile(where.data.resolve("status.json"))
              .read()
              .filter(s -> StatusFile.isFresh(s, Clock.systemUTC()));
      var out = spec.commandLine().getOut();
      if (status.isEmpty()) {
        out.println("not running (no recent status in " + where.data + ")");
        return ProgramLine.FAILED;
      }
      ProxyStatus now = status.get();
      out.println("state     " + (now.online() ? "online" : "offline"));
      out.println("identity  " + now.identity());
      out.println("version   " + now.version());
      out.println("session   " + (now.session() ? "generation " + now.generation() : "none"));
      out.println(
          "uplink    "
              + (now.uplink()
                  ? "manager %s at %s, %d lanes"
                      .formatted(now.manager(), now.path(), now.load().lanes())
                  : "none"));
      out.println(
          "clients   %d, %d of them in session, %d waiting"
              .formatted(now.load().clients(), now.load().announced(), now.load().waiting()));
      out.println(
          "queued    %d bytes up, %d bytes down"
              .formatted(now.load().queuedUp(), now.load().queuedDown()));
      if (!now.kept().isEmpty()) {
        out.println("kept      " + now.kept());
      }
      return now.online() ? 0 : ProgramLine.FAILED;
    }
  }

  @Command(
      name = "stop",
      description = {
        "Moves the agents to other proxies, then stops the proxy on this host until it is started",
        "here again. Refused while agents have no other proxy."
      },
      mixinStandardHelpOptions = true)
  static final class Stop implements Callable<Integer> {
    private static final Duration LIMIT = Duration.ofSeconds(90);
    private static final Duration LOOK = Duration.ofMillis(200);

    @Mixin private final Where where = new Where();
    @Spec private CommandSpec spec = CommandSpec.create();

    @Option(names = "--force", description = "also when agents are left without a proxy")
    private boolean force;

    @Override
    public Integer call() throws IOException, InterruptedException {
      var file = new StatusFile(where.data.resolve("status.json"));
      var out = spec.commandLine().getOut();
      Optional<Long> pid = running(file);
      if (pid.isEmpty()) {
        out.println("towline-proxy does not run with " + where.data);
        return 0;
      }
      var request = new StopRequest(where.data);
      request.ask(force);
      // Nobody counts it down; the proxy's answer is looked for.
      var never = new CountDownLatch(1);
      long deadline = System.nanoTime() + LIMIT.toNanos();
      while (System.nanoTime() - deadline < 0) {
        Optional<String> refused = request.takeRefusal();
        if (refused.isPresent()) {
          spec.commandLine()
              .getErr()
              .println(
                  "towline-proxy: not stopped: "
                      + refused.get()
                      + "; disconnect them first (towline proxies disconnect CLUSTER), start"
                      + " another proxy of the cluster, or stop with --force");
          return ProgramLine.FAILED;
        }
        if (!ProcessHandle.of(pid.get()).map(ProcessHandle::isAlive).orElse(false)) {
          out.println("towline-proxy is stopped");
          return 0;
        }
        var _ = never.await(LOOK.toMillis(), TimeUnit.MILLISECONDS);
      }
      spec.commandLine()
          .getErr()
          .println("towline-proxy: not stopped within " + LIMIT.toSeconds() + " s; see its log");
      return ProgramLine.FAILED;
    }

    private static Optional<Long> running(StatusFile file) {
      return file.read()
          .map(ProxyStatus::pid)
          .filter(pid -> ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false));
    }
  }

  @Command(
      name = "config",
      description = "About the settings.",
      mixinStandardHelpOptions = true,
      subcommands = ConfigShow.class)
  static final class Config extends CommandGroup {}

  @Command(
      name = "show",
      description = "Tells each setting's value and where it comes from.",
      mixinStandardHelpOptions = true)
  static final class ConfigShow implements Callable<Integer> {
    @Mixin private final Where where = new Where();
    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() throws IOException {
      ProxySettings settings = where.settings();
      spec.commandLine().getOut().println(settings.show());
      settings.read();
      return 0;
    }
  }
}
