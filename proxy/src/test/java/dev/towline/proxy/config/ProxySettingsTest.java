package dev.towline.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProxySettingsTest {
  private static final Map<String, List<String>> SERVERS =
      Map.of("servers", List.of("manager.example:7443"));

  @Test
  void read_onlyServersGiven_hasTheDefaults() {
    ProxyConfig config = new ProxySettings().with(SERVERS, "file").read();

    assertThat(config)
        .isEqualTo(
            new ProxyConfig(
                "0.0.0.0",
                443,
                List.of(80, 8080),
                List.of(8443),
                List.of(new ServerAddress("manager.example", 7443)),
                List.of(),
                2,
                1024,
                10_240,
                TlsProfile.MODERN));
  }

  @Test
  void read_severalProblems_tellsAllAtOnce() {
    var settings =
        new ProxySettings()
            .with(Map.of("prot", List.of("1"), "port", List.of("70000")), "proxy.yaml")
            .withEnvironment(Map.of("TOWLINE_PROXY_UPLINK_CONNECTIONS", "9"));

    assertThatThrownBy(settings::read)
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("proxy.yaml: unknown key 'prot'")
        .hasMessageContaining("port: '70000' (expected: a number from 1 to 65535)")
        .hasMessageContaining("uplink-connections: '9' (expected: a number from 1 to 4)")
        .hasMessageContaining("servers: none");
  }

  @Test
  void show_laterSource_namesIt() {
    var settings =
        new ProxySettings()
            .with(SERVERS, "proxy.yaml")
            .withEnvironment(Map.of("TOWLINE_PROXY_HTTP_PORTS", "8081,8082"))
            .with(Map.of("port", List.of("8443")), "command line");

    assertThat(settings.show().lines())
        .anyMatch(line -> line.matches("port +8443 +command line"))
        .anyMatch(line -> line.matches("http-ports +8081,8082 +TOWLINE_PROXY_HTTP_PORTS"))
        .anyMatch(line -> line.matches("servers +manager.example:7443 +proxy.yaml"))
        .anyMatch(line -> line.matches("uplink-connections +2 +default"));
  }

  @Test
  void readKept_enrollmentsSettings_areTaken(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("config.json");
    EnrollmentFile enrollment =
        EnrollmentFile.parse(
            """
            {"fleet":"f1","role":"proxy","ca-fingerprint":"%s","token-id":"t1","secret":"c2VjcmV0",
             "servers":["10.0.0.1:7443","10.0.0.2:7443"],
             "settings":{"port":443,"http-ports":[8080],"manager-public":"10.0.0.1:8443"}}
            """
                .formatted("0".repeat(64)),
            "test");
    new NodeConfig("", enrollment.servers(), enrollment.settings()).save(file);

    ProxyConfig config =
        new ProxySettings().with(SettingsFiles.readKept(file), file.toString()).read();

    assertThat(config.servers()).hasSize(2);
    assertThat(config.httpPorts()).containsExactly(8080);
    assertThat(config.managerPublic()).containsExactly(new ServerAddress("10.0.0.1", 8443));
  }
}
