package dev.towline.it.updates;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.ProcessFleet.Way;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.ComponentStatus;
import dev.towline.proto.v1.GetUpdateStatusRequest;
import dev.towline.runtime.data.FileTrees;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** Updates from a server that is not ours, and from a proxy whose manager is away. */
@Requirement({"U1", "U4"})
@TestMethodOrder(OrderAnnotation.class)
class UpdatesIT {
  private static final Duration BOUND = Duration.ofSeconds(120);
  private static final String USER = "updates";
  private static final String PASSWORD = "a word of pass";
  private static final List<String> NAMES =
      List.of("noext", "bin/tool", "a+b %2B 100%25", ".hidden", "größe/日本", "web.config");

  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  private static Path directory;

  private static ProcessFleet fleet;
  private static Program manager;
  private static Program nearTwo;
  private static Program nginx;

  @BeforeAll
  static void start() throws Exception {
    long seed = Long.getLong("towline.seed", new Random().nextInt(Integer.MAX_VALUE));
    System.out.println("seed " + seed + " (repeat with -Dtowline.seed=" + seed + ")");
    fleet =
        new ProcessFleet(
            Path.of(System.getProperty("towline.repository", "..")),
            directory,
            LoopbackAddresses.free(new Random(seed)),
            List.of("--heartbeat-interval", "5s"));
    manager = fleet.startManager();
    fleet.startProxy();
    fleet.startAgent("direct-1", Way.DIRECT);
    fleet.startAgent("near-1", Way.PROXY);
    nearTwo = fleet.startAgent("near-2", Way.PROXY);
    fleet.awaitOnline(3, BOUND);
    for (String name : NAMES) {
      Path file = directory.resolve("rules").resolve(name);
      Files.createDirectories(file.getParent());
      Files.writeString(file, "content of " + name);
    }
    Files.writeString(directory.resolve("rules/empty"), "");
    fleet.towline(
        "updates",
        "import",
        directory.resolve("rules").toString(),
        "--component",
        "rules",
        "--version",
        "1.0");
  }

  @AfterAll
  static void stop() {
    if (nginx != null) {
      nginx.stop();
    }
    if (fleet != null) {
      fleet.close();
    }
  }

  @Test
  @Order(1)
  @Requirement({"U2", "U3", "U6"})
  void export_servedByNginx_isASourceLikeAnyOther() throws Exception {
    Path export = directory.resolve("export");
    fleet.towline("updates", "export", export.toString());
    String address = startNginx(export);
    Path password = Files.writeString(directory.resolve("password"), PASSWORD);

    assertThat(
            fleet.towline(
                "updates",
                "check",
                address,
                "--user",
                USER,
                "--password-file",
                password.toString()))
        .doesNotContain("FAILED")
        .contains("a file without extension came whole");
    follow("direct-1", address, USER, PASSWORD);

    awaitStatus("the export on the host", status -> status.getApplied() == 1);
    expectWhole("direct-1");
    assertThat(fleet.towline("hosts", "show", "direct-1"))
        .contains("Component", "rules 1.0 from " + address);
    Await.until(
        "nginx to say that it was asked",
        BOUND,
        () -> Files.readString(directory.resolve("access.log")).contains("\"GET /u/files/"));
  }

  @Test
  @Order(2)
  @Requirement("P6")
  void proxy_managerAway_servesWhatItHas() throws Exception {
    follow("near-1", "https://" + fleet.host(2) + ":8443/updates/", "", "");
    follow("near-2", "http://" + fleet.host(2) + ":8080/updates/", "", "");
    awaitStatus("the hosts behind the proxy", status -> status.getApplied() == 3);
    expectWhole("near-1");
    expectWhole("near-2");

    manager.kill();
    nearTwo.stop();
    FileTrees.delete(component("near-2"));
    FileTrees.delete(directory.resolve(".component-near-2.towline"));
    nearTwo.start();

    Await.until("the copies of the proxy", BOUND, () -> Files.exists(component("near-2")));
    expectWhole("near-2");
    manager.start().awaitLine("towline-manager ready", BOUND);
    fleet.awaitOnline(3, BOUND);
    awaitStatus("everybody again", status -> status.getApplied() == 3);
  }

  private static void follow(String host, String source, String user, String password) {
    fleet
        .admin()
        .policies()
        .changeSettings(
            ChangeSettingsRequest.newBuilder()
                .setHost(host)
                .putSet("updates.components", "rules=" + component(host))
                .putSet("updates.source", source)
                .putSet("updates.user", user)
                .putSet("updates.password", password)
                .putSet("updates.interval", "10s")
                .putSet("updates.window", "0s")
                .build());
  }

  private static Path component(String host) {
    return directory.resolve("component-" + host);
  }

  private static void expectWhole(String host) {
    for (String name : NAMES) {
      assertThat(component(host).resolve(name)).hasContent("content of " + name);
    }
    assertThat(component(host).resolve("empty")).isEmptyFile();
  }

  private static void awaitStatus(String what, Predicate<ComponentStatus> condition) {
    Await.until(
        what,
        BOUND,
        () ->
            condition.test(
                fleet
                    .admin()
                    .updates()
                    .getUpdateStatus(GetUpdateStatusRequest.getDefaultInstance())
                    .getComponents(0)));
  }

  /** Debian's, with nothing but what docs/updates.md says; its tree is at /u/. */
  private static String startNginx(Path export) throws IOException {
    String listen = fleet.host(6) + ":8081";
    Files.writeString(directory.resolve("htpasswd"), USER + ":{PLAIN}" + PASSWORD + "\n");
    Path config =
        Files.writeString(
            directory.resolve("nginx.conf"),
            """
            user root;
            daemon off;
            pid DIR/nginx.pid;
            error_log stderr;
            events {}
            http {
              access_log DIR/access.log;
              types {}
              default_type application/octet-stream;
              client_body_temp_path DIR/nginx-body;
              proxy_temp_path DIR/nginx-proxy;
              fastcgi_temp_path DIR/nginx-fastcgi;
              uwsgi_temp_path DIR/nginx-uwsgi;
              scgi_temp_path DIR/nginx-scgi;
              server {
                listen LISTEN;
                auth_basic updates;
                auth_basic_user_file DIR/htpasswd;
                location /u/ { alias EXPORT/; }
              }
            }
            """
                .replace("DIR", directory.toString())
                .replace("LISTEN", listen)
                .replace("EXPORT", export.toString()));
    nginx =
        new Program(
                "nginx",
                List.of("nginx", "-c", config.toString()),
                Map.of(),
                directory.resolve("logs/nginx.log"))
            .start();
    Await.until(
        "nginx to run",
        BOUND,
        () -> nginx.isRunning() && Files.exists(directory.resolve("nginx.pid")));
    return "http://" + listen + "/u/";
  }
}
