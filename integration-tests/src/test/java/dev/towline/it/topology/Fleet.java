package dev.towline.it.topology;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.towline.cli.login.AdminClient;
import dev.towline.it.Packages;
import dev.towline.it.fleet.OperatorLogin;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListHostsResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A fleet as its operator has it: a manager that runs on a host from its package, the command line
 * beside it, signed in, and install commands that are pasted on other hosts.
 *
 * <p>Lifecycle: ends with the lab of its host.
 *
 * <p>Threading: hosts may be installed from several threads.
 */
public final class Fleet {
  /** How long an install command may take where everything runs on two busy cores. */
  public static final Duration INSTALL_LIMIT = Duration.ofMinutes(4);

  /** What a person needs to know about a kept fleet; read again by later processes. */
  static final String NOTE = "/root/fleet.txt";

  private static final Duration START_LIMIT = Duration.ofMinutes(4);
  private static final Duration COMMAND_LIMIT = Duration.ofMinutes(2);
  private static final String PACKAGES = "/opt/towline/packages";
  private static final String PROGRAM_LOGS =
      "tail -n 100 /var/log/towline/*.log 2>/dev/null || journalctl -n 100 --no-pager";
  private static final String DATA = "/var/lib/towline/manager";
  static final Pattern PASSWORD = Pattern.compile("(?m)^Password +(\\S+)");
  static final Pattern FINGERPRINT = Pattern.compile("CA fingerprint +([0-9a-f]{64})");

  private final Host host;
  private final Service manager;

  private Fleet(Host host, Service manager) {
    this.host = host;
    this.manager = manager;
  }

  /**
   * Unpacks the manager on a host, starts it for the first time and signs in.
   *
   * @param options of the manager, besides those that a first start needs
   */
  public static Fleet start(Host host, String... options) {
    unpack(host, "manager");
    unpack(host, "cli");
    host.sh("mkdir -p " + PACKAGES);
    for (String program : List.of("agent", "proxy", "relay")) {
      host.copyIn(
          Packages.tarball(program), PACKAGES + "/" + Packages.tarball(program).getFileName());
    }
    var command =
        new ArrayList<>(
            List.of(
                "/usr/local/bin/towline-manager",
                "serve",
                "--data",
                DATA,
                "--advertise",
                host.name()));
    command.addAll(List.of(options));
    Service manager = host.launch("towline-manager", command.toArray(String[]::new));
    manager.awaitLog("towline-manager ready", START_LIMIT);
    String welcome = manager.log();
    var fleet = new Fleet(host, manager);
    fleet.signIn(printed(welcome, PASSWORD), printed(welcome, FINGERPRINT));
    return fleet;
  }

  /** One more package that the manager has for hosts. */
  public void addPackage(Path file) {
    host.copyIn(file, PACKAGES + "/" + file.getFileName());
  }

  static void unpack(Host host, String program) {
    String home = "/opt/towline/" + program;
    String command = Packages.command(program);
    host.unpack(Packages.tarball(program), home + "/versions");
    host.sh(
        """
        cd %1$s
        mv versions/%2$s versions/%3$s
        ln -s versions/%3$s current
        ln -s %1$s/current/bin/%4$s /usr/local/bin/%4$s
        """
            .formatted(home, Packages.directory(program), Packages.version(), command));
  }

  private void signIn(String password, String fingerprint) {
    host.write("/root/password", password + "\n");
    host.sh("chmod 0600 /root/password");
    towline(
        "login",
        consoleUrl(),
        "--password-file",
        "/root/password",
        "--ca-fingerprint",
        fingerprint);
    host.write(
        NOTE,
        """
        console   https://%s:8444  user admin  password %s
        towline   docker exec -it %s towline hosts list
        """
            .formatted(host.address(), password, host.containerName()));
  }

  static String printed(String welcome, Pattern pattern) {
    Matcher matcher = pattern.matcher(welcome);
    if (!matcher.find()) {
      throw new AssertionError("the manager did not print " + pattern + " but:\n" + welcome);
    }
    return matcher.group(1);
  }

  /** The host of the manager. */
  public Host host() {
    return host;
  }

  /** The manager's process. */
  public Service manager() {
    return manager;
  }

  public String consoleUrl() {
    return "https://" + host.name() + ":8444";
  }

  /**
   * The admin API from here, for what is done too often to start a program each time.
   *
   * @param directory where the operator's login is copied to
   */
  public AdminClient admin(Path directory) {
    try {
      for (String file : List.of("login.json", "ca.pem")) {
        Files.writeString(
            directory.resolve(file),
            host.sh("cat /root/.config/towline/" + file)
                .replace(consoleUrl(), "https://" + host.address() + ":8444"));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return OperatorLogin.open(directory, Clock.systemUTC());
  }

  /** Runs the operator's command line to its end. */
  public Result run(String... arguments) {
    var command = new ArrayList<>(List.of("towline"));
    command.addAll(List.of(arguments));
    return host.run(COMMAND_LIMIT, command.toArray(String[]::new));
  }

  /** Runs the operator's command line, which has to succeed, and returns what it printed. */
  public String towline(String... arguments) {
    Result result = run(arguments);
    if (!result.ok()) {
      throw new AssertionError(
          "towline %s: exit code %d (expected: 0)%n%s%s%nThe manager's log:%n%s"
              .formatted(
                  String.join(" ", arguments),
                  result.exitCode(),
                  result.out(),
                  result.err(),
                  manager.log()));
    }
    return result.out();
  }

  /** What the command line answers with {@code -o json}, as the message that it is. */
  public <B extends Message.Builder> B ask(B answer, String... arguments) {
    var command = new ArrayList<>(List.of(arguments));
    command.addAll(List.of("-o", "json"));
    return parse(towline(command.toArray(String[]::new)), answer);
  }

  private static <B extends Message.Builder> B parse(String json, B answer) {
    try {
      JsonFormat.parser().merge(json, answer);
      return answer;
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError("no " + answer.getDescriptorForType().getName() + ": " + json, e);
    }
  }

  /** Creates an install command for agents. */
  public CreatedInstallCommand installCommand(String... options) {
    var command = new ArrayList<>(List.of("install-command", "create"));
    command.addAll(List.of(options));
    return ask(CreatedInstallCommand.newBuilder(), command.toArray(String[]::new)).build();
  }

  /** Pastes the line for the tool that a host has into a root shell there. */
  public static Result paste(CreatedInstallCommand command, Host target) {
    return target.paste(line(command, target), INSTALL_LIMIT);
  }

  /** The printed line for the tool that a host has. */
  public static String line(CreatedInstallCommand command, Host target) {
    return target.image() == Image.WGET_ONLY ? command.getWgetLine() : command.getCurlLine();
  }

  /** Installs a program on a host, which has to succeed, and returns how long it took. */
  public Duration install(CreatedInstallCommand command, Host target) {
    long began = System.nanoTime();
    Result result = paste(command, target);
    if (!result.ok()) {
      throw new AssertionError(
          "%s: exit code %d (expected: 0) of the install command%n%s%s%nIts log:%n%s%nThe manager's log:%n%s"
              .formatted(
                  target.name(),
                  result.exitCode(),
                  result.out(),
                  result.err(),
                  target.run("sh", "-c", PROGRAM_LOGS).out(),
                  manager.log()));
    }
    return Duration.ofNanos(System.nanoTime() - began);
  }

  /** All hosts by name. */
  public Map<String, dev.towline.proto.v1.Host> hosts() {
    return ask(ListHostsResponse.newBuilder(), "hosts", "list").getHostsList().stream()
        .collect(Collectors.toMap(dev.towline.proto.v1.Host::getName, Function.identity()));
  }

  /** Waits until a host is in a state, and returns it. */
  public dev.towline.proto.v1.Host awaitState(String name, HostState state, Duration limit) {
    Await.until(
        name + " is " + state,
        limit,
        () -> hosts().get(name) instanceof dev.towline.proto.v1.Host h && h.getState() == state);
    return hosts().get(name);
  }

  /** Runs a program on hosts and does not wait for its end. */
  public Action begin(String selector, String... program) {
    var command = new ArrayList<>(List.of("run", "--on", selector, "--detach", "-o", "json", "--"));
    command.addAll(Arrays.asList(program));
    return parse(towline(command.toArray(String[]::new)), Action.newBuilder()).build();
  }

  /** Runs a program on hosts and waits until it has ended on all of them. */
  public Action act(String selector, String... program) {
    var command =
        new ArrayList<>(List.of("run", "--on", selector, "--wait", "60s", "-o", "json", "--"));
    command.addAll(Arrays.asList(program));
    Result result = run(command.toArray(String[]::new));
    if (result.out().isBlank()) {
      throw new AssertionError("towline run: exit code " + result.exitCode() + "\n" + result.err());
    }
    return parse(result.out(), Action.newBuilder()).build();
  }
}
