package dev.towline.manager.install;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.policy.UpdatePolicy;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The package of an install command from elsewhere than its manager, by the real script. */
@Requirement("U3")
class InstallSourceTest {
  private static final Duration BOUND = Duration.ofMinutes(1);
  private static final String NAME = "towline-proxy-2.0-linux-x86_64.tar.gz";
  private static final String LOGIN = "updates:a \"word\" of \\\\ pass";
  private static final String PROGRAM =
      """
      #!/bin/sh
      if [ "$1" = run ]; then
        trap 'rm -f "$3/status.json"; exit 0' TERM
        mkdir -p "$3/identity"
        : >"$3/identity/identity.pem"
        echo '{"state":"ONLINE"}' >"$3/status.json"
        while :; do sleep 0.1; done
      fi
      """;

  @TempDir private Path directory;

  private final Map<String, byte[]> served = new ConcurrentHashMap<>();
  private Path root;
  private byte[] archive;
  private HttpServer server;
  private String address;

  @BeforeEach
  void start() throws Exception {
    root = Files.createDirectories(directory.resolve("root"));
    Path program = directory.resolve("towline-proxy-2.0/bin/towline-proxy");
    Files.createDirectories(program.getParent());
    Files.writeString(program, PROGRAM);
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    run(List.of("tar", "-czf", "package.tar.gz", "towline-proxy-2.0"), "");
    archive = Files.readAllBytes(directory.resolve("package.tar.gz"));
    server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", this::answer);
    server.start();
    address = "http://127.0.0.1:" + server.getAddress().getPort();
  }

  @AfterEach
  void stop() throws IOException {
    server.stop(0);
    Path pidFile = root.resolve("run/towline-proxy.pid");
    if (Files.exists(pidFile)) {
      Optional<ProcessHandle> supervisor =
          ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip()));
      supervisor.ifPresent(ProcessHandle::destroy);
      Await.until("its end", BOUND, () -> !Files.exists(pidFile));
    }
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    String login =
        "Basic " + Base64.getEncoder().encodeToString(LOGIN.getBytes(StandardCharsets.UTF_8));
    byte[] content =
        path.contains("/state/") ? "ok\n".getBytes(StandardCharsets.UTF_8) : served.get(path);
    if (path.startsWith("/locked/")
        && !login.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
      exchange.getResponseHeaders().set("WWW-Authenticate", "Basic realm=\"updates\"");
      exchange.sendResponseHeaders(401, -1);
    } else if (content == null) {
      exchange.sendResponseHeaders(404, -1);
    } else {
      exchange.sendResponseHeaders(200, content.length);
      try (OutputStream out = exchange.getResponseBody()) {
        out.write(content);
      }
    }
    exchange.close();
  }

  @Test
  void directory_hasThePackage_managerIsNotAskedForIt() throws Exception {
    Path share = Files.createDirectories(directory.resolve("share/packages"));
    Files.write(share.resolve(NAME), archive);

    Ended ended = install(new InstallSource(directory.resolve("share").toString(), ""));

    assertThat(ended.status()).as(ended.output()).isZero();
    assertThat(ended.output()).contains("comes from " + directory.resolve("share"), "online");
  }

  @Test
  @Requirement("U6")
  void address_withPassword_hasThePackage() throws Exception {
    served.put("/locked/" + NAME, archive);

    Ended ended = install(new InstallSource(address + "/locked", LOGIN));

    assertThat(ended.status()).as(ended.output()).isZero();
    assertThat(ended.output())
        .contains("comes from " + address + "/locked", "online")
        .doesNotContain(LOGIN);
  }

  @Test
  @Requirement("U5")
  void address_hasAnotherFile_managersOwnIsTaken() throws Exception {
    served.put("/updates/packages/" + NAME, new byte[] {1, 2, 3});
    served.put("/packages/" + NAME, archive);

    Ended ended = install(new InstallSource(address + "/updates", ""));

    assertThat(ended.status()).as(ended.output()).isZero();
    assertThat(ended.output()).doesNotContain("comes from").contains("online");
  }

  @Test
  void of_policy_isItsOwnOrTheFirstSourceOfItsUpdates() {
    Map<String, String> settings =
        new HashMap<>(
            Map.of(
                UpdatePolicy.SOURCE, "http://a.example/updates/",
                UpdatePolicy.INSTALL_SOURCE, "none",
                UpdatePolicy.USER, "u",
                UpdatePolicy.PASSWORD, "p"));

    assertThat(InstallSource.of(settings::get))
        .isEqualTo(new InstallSource("http://a.example/updates", "u:p"));
    settings.put(UpdatePolicy.INSTALL_SOURCE, "/mnt/share");
    assertThat(InstallSource.of(settings::get)).isEqualTo(new InstallSource("/mnt/share", ""));
    settings.put(UpdatePolicy.INSTALL_SOURCE, "none");
    settings.put(UpdatePolicy.SOURCE, "none");
    assertThat(InstallSource.of(settings::get)).isEqualTo(InstallSource.NONE);
  }

  private record Ended(int status, String output) {}

  private Ended install(InstallSource source) throws Exception {
    String script =
        InstallScript.of(
            new EnrollmentFile(
                "fleet", Role.PROXY, "0".repeat(64), "t1", List.of("127.0.0.1:1"), Map.of()),
            new Route(List.of("127.0.0.1:1"), List.of(address)),
            new Packages.Program(
                "proxy",
                "2.0",
                directory.resolve(NAME),
                HexFormat.of().formatHex(Fingerprints.sha256(archive))),
            false,
            source);
    assertThat(script).doesNotContain(LOGIN);
    Path file = Files.writeString(directory.resolve("install.sh"), script);
    return run(List.of("sh", file.toString()), "c2VjcmV0\n" + source.login() + "\n");
  }

  private Ended run(List<String> command, String input) throws Exception {
    Path output = Files.createTempFile(directory, "output", ".txt");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            // A pipe would stay open for as long as what was started runs.
            .redirectOutput(output.toFile());
    builder.environment().put("TOWLINE_INSTALL_ROOT", root.toString());
    Process process = builder.start();
    try (OutputStream in = process.getOutputStream()) {
      in.write(input.getBytes(StandardCharsets.UTF_8));
    }
    int status = process.waitFor();
    return new Ended(status, Files.readString(output, StandardCharsets.UTF_8));
  }
}
