package dev.towline.it.topology;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the other container tests rely on: hosts, their networks and that nothing stays behind. */
@Tag("docker")
final class LabIT {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  @Test
  void close_removesItsHostsAndNetworks_andNoOtherLabs() {
    try (Lab kept = Lab.open("lab-it");
        Lab closed = Lab.open("lab-it")) {
      kept.host("one", Image.BASE, kept.segment("net"));
      closed.host("one", Image.BASE, closed.segment("net"));

      closed.close();

      assertThat(hostsOf("lab-it")).isEqualTo(1);
      assertThat(kept.host("one").sh("hostname").strip()).isEqualTo("one");
    }
    assertThat(hostsOf("lab-it")).isZero();
  }

  @Test
  void open_sweepsWhatAnEndedRunLeft() {
    Run current = Run.current();
    Run ended = new Run(current.boot(), current.namespace(), current.pid(), "1");
    String network =
        Lab.docker()
            .createNetworkCmd()
            .withName("towline-lab-it-stale-" + current.pid())
            .withLabels(Map.of(Lab.TOPOLOGY_LABEL, "lab-it-stale", Lab.RUN_LABEL, ended.label()))
            .exec()
            .getId();

    try (Lab _ = Lab.open("lab-it")) {
      assertThat(Lab.docker().listNetworksCmd().withFilter("id", List.of(network)).exec())
          .isEmpty();
    }
  }

  @Test
  void proxyCluster_agentsReachProxiesOnly() {
    try (var cluster = new ProxyCluster(1, 1)) {
      cluster.up();
      Host proxy = cluster.proxies().getFirst();
      Host agent = cluster.agents().getFirst();
      listen(cluster.manager(), 7443);
      listen(proxy, 443);

      assertThat(agent.connect(proxy.address(cluster.site()), 443, LIMIT))
          .isEqualTo(Connect.CONNECTED);
      assertThat(proxy.connect(cluster.manager().address(), 7443, LIMIT))
          .isEqualTo(Connect.CONNECTED);
      assertThat(agent.connect(cluster.manager().address(), 7443, Duration.ofSeconds(2)))
          .isNotEqualTo(Connect.CONNECTED);
    }
  }

  @Test
  void direct_agentsReachTheManagerByName() {
    try (var direct = new Direct(1)) {
      direct.up();
      listen(direct.manager(), 7443);

      assertThat(direct.agents().getFirst().connect("manager", 7443, LIMIT))
          .isEqualTo(Connect.CONNECTED);
    }
  }

  @Test
  void bareHost_hasNoDownloader_andStillCanBeRouted() {
    try (Lab lab = Lab.open("lab-it")) {
      Segment near = lab.segment("near");
      Segment far = lab.segment("far");
      Host router = lab.router("router", near, far);
      Host server = lab.host("server", Image.BASE, far);
      server.routeThrough(router, far);
      Host bare = lab.host("bare", Image.BARE, near);
      bare.routeThrough(router, near);
      listen(server, 8080);

      for (String tool : List.of("curl", "wget", "java", "ip", "nft", "openssl")) {
        assertThat(bare.run("sh", "-c", "command -v " + tool).ok()).as(tool).isFalse();
      }
      assertThat(bare.connect(server.address(), 8080, LIMIT)).isEqualTo(Connect.CONNECTED);
    }
  }

  @Test
  void systemdHost_runsUnits() {
    try (Lab lab = Lab.open("lab-it")) {
      Host host = lab.host("machine", Image.SYSTEMD, lab.segment("net"));

      host.sh("systemd-run --unit=probe --service-type=oneshot --wait true");

      assertThat(host.sh("ps -o comm= -p 1").strip()).isEqualTo("systemd");
    }
  }

  @Test
  void service_isStartedWatchedFrozenAndStopped(@TempDir Path temp) throws Exception {
    try (Lab lab = Lab.open("lab-it")) {
      Host host = lab.host("host", Image.BASE, lab.segment("net"));
      Path script = temp.resolve("greet.sh");
      Files.writeString(script, "#!/bin/sh\necho \"hello $1\"\nexec sleep 600\n");
      host.copyIn(script, "/opt/greet.sh");

      Service service = host.launch("greet", "sh", "/opt/greet.sh", "dear world");

      service.awaitLog("hello dear world", LIMIT);
      assertThat(service.isAlive()).isTrue();
      service.signal("KILL");
      Await.until("killed", LIMIT, () -> !service.isAlive());
      Service again = host.launch("greet", "sh", "/opt/greet.sh", "again");
      again.awaitLog("again", LIMIT);
      again.stop(LIMIT);
      assertThat(host.run(Duration.ofMillis(300), "sleep", "30").exitCode())
          .isEqualTo(Result.TIMED_OUT);
    }
  }

  @Test
  void unpack_keepsModes(@TempDir Path temp) throws Exception {
    Path script = Files.createDirectories(temp.resolve("towline-x-1/bin")).resolve("x");
    Files.writeString(script, "#!/bin/sh\necho unpacked\n");
    assertThat(script.toFile().setExecutable(true)).isTrue();
    Path archive = temp.resolve("x.tar.gz");
    var tar = new ProcessBuilder("tar", "-C", temp + "", "-czf", archive + "", "towline-x-1");
    assertThat(tar.inheritIO().start().waitFor()).isZero();

    try (Lab lab = Lab.open("lab-it")) {
      Host bare = lab.host("bare", Image.BARE, lab.segment("net"));
      bare.unpack(archive, "/opt/towline/x/versions");

      assertThat(bare.sh("/opt/towline/x/versions/towline-x-1/bin/x")).isEqualTo("unpacked\n");
    }
  }

  @Test
  void cablePulled_otherHostIsGone_untilPluggedIn() {
    try (Lab lab = Lab.open("lab-it")) {
      Segment net = lab.segment("net");
      Host here = lab.host("here", Image.BASE, net);
      Host there = lab.host("there", Image.BASE, net);
      listen(there, 8080);
      assertThat(here.connect("there", 8080, LIMIT)).isEqualTo(Connect.CONNECTED);

      there.disconnect(net);
      assertThat(here.connect("there", 8080, Duration.ofSeconds(2)))
          .isNotEqualTo(Connect.CONNECTED);
      there.connect(net);
      assertThat(here.connect("there", 8080, LIMIT)).isEqualTo(Connect.CONNECTED);
    }
  }

  private static void listen(Host host, int port) {
    host.launch("listener", "nc", "-l", "-k", "-p", Integer.toString(port));
    Await.until(host.name() + " listens", LIMIT, () -> host.sh("ss -ltn").contains(":" + port));
  }

  private static long hostsOf(String topology) {
    return Lab.docker()
        .listContainersCmd()
        .withLabelFilter(Map.of(Lab.TOPOLOGY_LABEL, topology))
        .exec()
        .size();
  }
}
