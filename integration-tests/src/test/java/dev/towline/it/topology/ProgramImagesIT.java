package dev.towline.it.topology;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.images.builder.Transferable;

/**
 * The programs' own images, made without a registry: a manager, a proxy, a relay pair and agents,
 * each started with nothing but its enrollment file.
 */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
@Requirement("G1")
final class ProgramImagesIT {
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final Lab lab = Lab.open("program-images");

  private static Segment lan;
  private static Host operator;

  @BeforeAll
  static void startManager() throws Exception {
    buildImages();
    lan = lab.segment("lan");
    operator = lab.host("operator", Image.BASE, lan);
    Fleet.unpack(operator, "cli");
    GenericContainer<?> manager =
        start(
            "manager",
            container("manager")
                .withCommand(
                    "serve",
                    "--data",
                    "/var/lib/towline/manager",
                    "--packages",
                    "/opt/packages",
                    "--advertise",
                    "manager"));
    awaitLog(manager, "towline-manager ready");
    operator.write("/root/password", Fleet.printed(manager.getLogs(), Fleet.PASSWORD) + "\n");
    towline(
        "login",
        "https://manager:8444",
        "--password-file",
        "/root/password",
        "--ca-fingerprint",
        Fleet.printed(manager.getLogs(), Fleet.FINGERPRINT));
  }

  private static void buildImages() throws Exception {
    Process build =
        new ProcessBuilder("images/build-programs")
            .directory(Path.of(System.getProperty("towline.root")).toFile())
            .redirectErrorStream(true)
            .start();
    String output = new String(build.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(build.waitFor()).as(output).isZero();
  }

  @AfterAll
  static void takeDown() {
    lab.close();
  }

  @Test
  void agentImage_enrollsAndRunsActions() {
    towline("install-command", "create", "--os", "linux", "--enrollment-file", "/root/agent.json");
    awaitLog(enrolled("agent", "agent-1", "/root/agent.json"), "towline-agent online");

    assertThat(towline("run", "--on", "agent-1", "--", "uname", "-n")).contains("agent-1");
  }

  @Test
  void proxyImage_carriesAnAgent() {
    towline("proxies", "create-cluster", "dc1", "--address", "proxy");
    towline("proxies", "command", "dc1", "--enrollment-file", "/root/proxy.json");
    enrolled("proxy", "proxy", "/root/proxy.json");
    awaitOutput("online", "proxies", "list");
    towline(
        "install-command",
        "create",
        "--os",
        "linux",
        "--proxy-cluster",
        "dc1",
        "--enrollment-file",
        "/root/agent-2.json");
    enrolled("agent", "agent-2", "/root/agent-2.json");

    awaitOutput("HOST_STATE_ONLINE", "hosts", "show", "agent-2", "-o", "json");
    assertThat(towline("run", "--on", "agent-2", "--", "uname", "-n")).contains("agent-2");
  }

  @Test
  void relayImages_pairAndCarryAnAgent() {
    towline("relays", "parent-command", "hq", "--enrollment-file", "/root/hq.json");
    enrolled("relay", "hq", "/root/hq.json");
    awaitOutput("hq", "relays", "list");
    towline(
        "relays",
        "pair",
        "--parent",
        "hq",
        "--child",
        "dmz",
        "--dial",
        "dmz",
        "--downstream",
        "dmz",
        "--enrollment-file",
        "/root/dmz.json");
    enrolled("relay", "dmz", "/root/dmz.json");
    towline(
        "install-command",
        "create",
        "--os",
        "linux",
        "--relay",
        "dmz",
        "--enrollment-file",
        "/root/agent-3.json");
    enrolled("agent", "agent-3", "/root/agent-3.json");

    awaitOutput("HOST_STATE_ONLINE", "hosts", "show", "agent-3", "-o", "json");
    assertThat(towline("run", "--on", "agent-3", "--", "uname", "-n")).contains("agent-3");
  }

  /** Starts a program's image with the file that the operator's host holds. */
  private static GenericContainer<?> enrolled(String program, String name, String file) {
    byte[] enrollment = operator.read(file).getBytes(StandardCharsets.UTF_8);
    return start(
        name,
        container(program)
            .withCopyToContainer(
                Transferable.of(enrollment, 0444), "/run/towline/enrollment.json"));
  }

  private static GenericContainer<?> container(String program) {
    return new GenericContainer<>(
            "towline/" + program + ":" + System.getProperty("towline.version"))
        .withImagePullPolicy(_ -> false);
  }

  private static GenericContainer<?> start(String name, GenericContainer<?> container) {
    container
        .withNetworkMode(lan.id())
        .withLabels(lab.labels())
        .withCreateContainerCmdModifier(command -> {
          command.withHostName(name).withAliases(List.of(name));
          Objects.requireNonNull(command.getHostConfig()).withInit(true);
        })
        .start();
    return container;
  }

  private static void awaitLog(GenericContainer<?> container, String line) {
    Await.until(
        container.getDockerImageName() + " logs " + line + "; its log:\n" + container.getLogs(),
        LIMIT,
        () -> container.getLogs().contains(line));
  }

  private static void awaitOutput(String text, String... arguments) {
    Await.until(
        "towline %s says %s".formatted(String.join(" ", arguments), text),
        LIMIT,
        () -> operator.run(command(arguments)).out().contains(text));
  }

  private static String towline(String... arguments) {
    Result result = operator.run(LIMIT, command(arguments));
    assertThat(result.ok()).as(result.out() + result.err()).isTrue();
    return result.out();
  }

  private static String[] command(String... arguments) {
    return Stream.concat(Stream.of("towline"), Arrays.stream(arguments)).toArray(String[]::new);
  }
}
