package dev.towline.it.fleet;

import dev.towline.cli.login.AdminClient;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListHostsRequest;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.testing.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Starts the programs of a fleet from the build and knows how to reach them. Closing it stops every
 * process; the work directory is the caller's.
 *
 * <p>Threading: one owner.
 */
public final class ProcessFleet implements AutoCloseable {
  private static final Duration START_BOUND = Duration.ofSeconds(120);
  private static final String PROXY_CLUSTER = "cluster-1";
  private static final String CHILD = "child-1";

  private final Path repository;
  private final Path directory;
  private final LoopbackAddresses addresses;
  private final Map<String, String> environment = new HashMap<>();
  private final List<Program> programs = new ArrayList<>();
  private @Nullable AdminClient admin;
  private final List<String> managerOptions;

  /** How an agent reaches the manager. */
  public enum Way {
    DIRECT,
    PROXY,
    RELAY
  }

  /**
   * @param repository the root of the checkout, with {@code bin/} and what was built
   * @param directory where data and logs go
   */
  public ProcessFleet(
      Path repository, Path directory, LoopbackAddresses addresses, List<String> managerOptions) {
    this.repository = repository.toAbsolutePath();
    this.directory = directory.toAbsolutePath();
    this.addresses = addresses;
    this.managerOptions = List.copyOf(managerOptions);
    environment.put("TOWLINE_CONFIG_DIR", this.directory.resolve("operator").toString());
  }

  /** Options of Java for the programs that are started from now on. */
  public void javaOptions(String options) {
    environment.put("TOWLINE_JAVA_OPTS", options);
  }

  public String managerHost() {
    return addresses.host(1);
  }

  public String consoleUrl() {
    return "https://" + managerHost() + ":8444";
  }

  public Path passwordFile() {
    return directory.resolve("admin-password");
  }

  public Path directory() {
    return directory;
  }

  /** Starts the manager and signs in as its administrator. */
  public Program startManager() {
    writePassword();
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "serve",
                "--data",
                data("manager"),
                "--listen",
                managerHost(),
                "--advertise",
                managerHost(),
                "--initial-password-file",
                passwordFile().toString()));
    arguments.addAll(managerOptions);
    Program manager = program("manager", "towline-manager", arguments);
    manager.start().awaitLine("towline-manager ready", START_BOUND);
    String fingerprint = "";
    for (String line : lines(manager)) {
      if (line.contains("ingerprint")) {
        fingerprint = line.replaceAll(".*\\b([0-9a-f]{64})\\b.*", "$1");
      }
    }
    towline(
        "login",
        consoleUrl(),
        "--user",
        "admin",
        "--password-file",
        passwordFile().toString(),
        "--ca-fingerprint",
        fingerprint);
    admin = OperatorLogin.open(directory.resolve("operator"), Clock.systemUTC());
    return manager;
  }

  private void writePassword() {
    byte[] random = new byte[18];
    new SecureRandom().nextBytes(random);
    try {
      DurableFiles.replace(passwordFile(), Base64.getUrlEncoder().withoutPadding().encode(random));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Adds a proxy to a cluster and waits until it carries agents. */
  public Program startProxy(String name, String cluster, String listen) {
    Path enrollment = directory.resolve(name + "-enrollment.json");
    towline("proxies", "command", cluster, "--enrollment-file", enrollment.toString());
    Program proxy =
        program(
            name,
            "towline-proxy",
            List.of(
                "run",
                "--data",
                data(name),
                "--enrollment",
                enrollment.toString(),
                "--listen",
                listen,
                "--port",
                "443",
                "--http-port",
                "8080"));
    proxy.start().awaitLine("towline-proxy online", START_BOUND);
    return proxy;
  }

  /** Starts an agent that uses a cluster; does not wait for it. */
  public Program startAgentOf(String name, String cluster) {
    CreateInstallCommandRequest.Builder request =
        CreateInstallCommandRequest.newBuilder()
            .setOs("linux")
            .setGroup("demo")
            .setExpiresInMs(Duration.ofHours(24).toMillis())
            .setMaxUses(1)
            .setProxyCluster(cluster);
    return startAgent(name, writeEnrollment(name, request));
  }

  /** Creates the cluster and its one proxy, and waits until it carries agents. */
  public Program startProxy() {
    towline(
        "proxies",
        "create-cluster",
        PROXY_CLUSTER,
        "--address",
        addresses.host(2),
        "--port",
        "443");
    Path enrollment = directory.resolve("proxy-enrollment.json");
    towline("proxies", "command", PROXY_CLUSTER, "--enrollment-file", enrollment.toString());
    Program proxy =
        program(
            "proxy",
            "towline-proxy",
            List.of(
                "run",
                "--data",
                data("proxy"),
                "--enrollment",
                enrollment.toString(),
                "--listen",
                addresses.host(2),
                "--port",
                "443",
                "--http-port",
                "8080"));
    proxy.start().awaitLine("towline-proxy online", START_BOUND);
    return proxy;
  }

  /** Parent and child relay; the child never dials. */
  public record RelayPair(Program parent, Program child) {}

  public RelayPair startRelayPair() {
    Program parent = startParentRelay("parent-1", List.of());
    String host = addresses.host(3);
    String dial = host + ":52311";
    Program child = startChildRelay("parent-1", CHILD, dial, host, List.of("--listen", dial));
    return new RelayPair(parent, child);
  }

  /**
   * Starts a parent and waits until it has a session.
   *
   * @param options for {@code towline-relay run}, beside data and enrollment
   */
  public Program startParentRelay(String name, List<String> options) {
    Path enrollment = directory.resolve(name + "-enrollment.json");
    towline("relays", "parent-command", name, "--enrollment-file", enrollment.toString());
    Program parent = relay(name, enrollment, options);
    parent.start().awaitLine("towline-relay ready", START_BOUND);
    return parent;
  }

  /**
   * Pairs a child with a parent, starts it and waits until it has a session through that parent.
   *
   * @param dial where the parent reaches the child
   * @param downstream where hosts below the child connect
   */
  public Program startChildRelay(
      String parent, String name, String dial, String downstream, List<String> options) {
    Path enrollment = directory.resolve(name + "-enrollment.json");
    towline(
        "relays",
        "pair",
        "--parent",
        parent,
        "--child",
        name,
        "--dial",
        dial,
        "--downstream",
        downstream,
        "--enrollment-file",
        enrollment.toString());
    Program child = relay(name, enrollment, options);
    child.start().awaitLine("towline-relay online", START_BOUND);
    return child;
  }

  private Program relay(String name, Path enrollment, List<String> options) {
    List<String> arguments =
        new ArrayList<>(
            List.of("run", "--data", data(name), "--enrollment", enrollment.toString()));
    arguments.addAll(options);
    return program(name, "towline-relay", arguments);
  }

  /** Starts an agent with an install command of its own; does not wait for it. */
  public Program startAgent(String name, Way way) {
    return startAgent(name, writeEnrollment(name, way));
  }

  /** Starts an agent that has this enrollment file; does not wait for it. */
  public Program startAgent(String name, Path enrollment) {
    return program(
            name,
            "towline-agent",
            List.of(
                "run", "--data", data(name), "--name", name, "--enrollment", enrollment.toString()))
        .start();
  }

  /**
   * Starts many agents in one process, named {@code agent-0} and so on, over all ways in turn; does
   * not wait for them.
   */
  public Program startAgentFarm(String name, int agents) {
    Way[] ways = Way.values();
    List<String> command =
        new ArrayList<>(
            List.of(
                // They share one process and would each report what all of them log.
                "env",
                "TOWLINE_AGENT_OWN_LOG=false",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-Xmx1g",
                "-cp",
                System.getProperty("java.class.path"),
                AgentFarm.class.getName()));
    for (int i = 0; i < agents; i++) {
      String agent = "agent-" + i;
      Path enrollment = writeEnrollment(agent, ways[i % ways.length]);
      command.add(agent + "=" + data(agent) + "=" + enrollment);
    }
    return register(name, command).start();
  }

  /** Starts an agent below a child relay; does not wait for it. */
  public Program startAgentBelow(String name, String relay) {
    CreateInstallCommandRequest.Builder request =
        CreateInstallCommandRequest.newBuilder()
            .setOs("linux")
            .setGroup("demo")
            .setExpiresInMs(Duration.ofHours(24).toMillis())
            .setMaxUses(1)
            .setRelay(relay);
    return startAgent(name, writeEnrollment(name, request));
  }

  /** An enrollment file for so many hosts. */
  public Path writeEnrollment(String name, Way way, int uses) {
    CreateInstallCommandRequest.Builder request =
        CreateInstallCommandRequest.newBuilder()
            .setOs("linux")
            .setGroup("demo")
            .setExpiresInMs(Duration.ofHours(24).toMillis())
            .setMaxUses(uses);
    switch (way) {
      case DIRECT -> {}
      case PROXY -> request.setProxyCluster(PROXY_CLUSTER);
      case RELAY -> request.setRelay(CHILD);
    }
    return writeEnrollment(name, request);
  }

  private Path writeEnrollment(String name, Way way) {
    return writeEnrollment(name, way, 1);
  }

  /** Starts a program of the caller's own that is run from this class path. */
  public Program startJava(String name, Class<?> main, List<String> options, List<String> args) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED"));
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(args);
    return register(name, command).start();
  }

  /**
   * An enrollment file of an install command of its own, for a program that is started elsewhere.
   */
  public Path writeEnrollment(String name, CreateInstallCommandRequest.Builder request) {
    try {
      return Files.writeString(
          directory.resolve(name + "-enrollment.json"),
          admin().installCommands().createInstallCommand(request.build()).getEnrollmentFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits until so many hosts are online; the table of hosts otherwise says which are not. */
  public List<Host> awaitOnline(int count, Duration bound) {
    return Await.value(
        count + " hosts to be online",
        bound,
        () -> {
          List<Host> hosts = hosts();
          long online =
              hosts.stream().filter(h -> h.getState() == HostState.HOST_STATE_ONLINE).count();
          return online >= count ? Optional.of(hosts) : Optional.empty();
        });
  }

  public List<Host> hosts() {
    return admin()
        .hosts()
        .listHosts(ListHostsRequest.newBuilder().setPageSize(1000).build())
        .getHostsList();
  }

  /** The admin API with the operator's login; the fleet closes it. */
  public AdminClient admin() {
    if (admin == null) {
      throw new IllegalStateException("the manager was not started");
    }
    return admin;
  }

  /**
   * Runs the operator's command line to its end and returns what it printed.
   *
   * @throws IllegalStateException with all it said when it fails
   */
  public String towline(String... arguments) {
    List<String> command = new ArrayList<>(List.of(bin("towline")));
    Collections.addAll(command, arguments);
    try {
      ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
      builder.environment().putAll(environment);
      Process process = builder.start();
      process.getOutputStream().close();
      String output = new String(process.getInputStream().readAllBytes());
      if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
        process.destroyForcibly();
        throw new IllegalStateException(
            "towline " + String.join(" ", arguments) + " failed:\n" + output);
      }
      return output;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  public List<Program> programs() {
    return List.copyOf(programs);
  }

  /** Starts any program of the fleet; does not wait for it. */
  public Program start(String name, String executable, List<String> arguments) {
    return program(name, executable, arguments).start();
  }

  /** As {@link #start}, in a network namespace. */
  public Program startIn(String namespace, String name, String executable, List<String> arguments) {
    List<String> command = new ArrayList<>(List.of("ip", "netns", "exec", namespace));
    command.add(bin(executable));
    command.addAll(arguments);
    return register(name, command).start();
  }

  /** A loopback address of this fleet's own. */
  public String host(int number) {
    return addresses.host(number);
  }

  private Program program(String name, String executable, List<String> arguments) {
    List<String> command = new ArrayList<>(List.of(bin(executable)));
    command.addAll(arguments);
    return register(name, command);
  }

  private Program register(String name, List<String> command) {
    Program program =
        new Program(name, command, environment, directory.resolve("logs").resolve(name + ".log"));
    programs.add(program);
    return program;
  }

  private String bin(String name) {
    return repository.resolve("bin").resolve(name).toString();
  }

  private String data(String name) {
    return directory.resolve("data").resolve(name).toString();
  }

  private static List<String> lines(Program program) {
    try {
      return program.outputSinceStart().lines().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Stops everything, agents first, so that they say goodbye. */
  @Override
  public void close() {
    if (admin != null) {
      admin.close();
    }
    List<Program> reversed = programs.reversed();
    reversed.stream().filter(p -> !p.name().equals("manager")).forEach(Program::beginStop);
    reversed.forEach(Program::stop);
  }

  /** Removes a directory and what is in it. */
  public static void deleteTree(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
