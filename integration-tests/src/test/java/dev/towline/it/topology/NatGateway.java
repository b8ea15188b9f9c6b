package dev.towline.it.topology;

import dev.towline.it.Packages;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A client network behind a NAT host with rules of everybody who writes some (an administrator,
 * Docker, fail2ban, ufw, firewalld; {@code topology/nat-gateway.sh}), and outside of it a manager
 * and a server, which know no way back to the client but the translated one. The agent runs on the
 * NAT host, which has systemd.
 */
public final class NatGateway extends AbstractTopology {
  /** The port of both servers, and the one that the gateway forwards to the client's. */
  private static final int WEB = 8_000;

  private static final int FORWARDED = 8_080;
  private static final String FILES = "/etc/towline-test/";
  private static final Duration UPGRADE_LIMIT = Duration.ofMinutes(2);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(30);
  private static final Pattern COUNTED = Pattern.compile("answered=(\\d+) failed=(\\d+)");

  public NatGateway() {
    this(Lab::open);
  }

  NatGateway(Function<String, Lab> labs) {
    super("nat-gateway", "an agent on a NAT host with rules of others, clients behind it", labs);
  }

  /** How often requests were answered. */
  public record Requests(long answered, long failed) {}

  /** Requests through the gateway that go on and on. */
  public final class Asking {
    private final List<Service> askers;

    private Asking(List<Service> askers) {
      this.askers = askers;
    }

    public Requests stop() {
      long answered = 0;
      long failed = 0;
      for (Service asker : askers) {
        asker.stop(STOP_LIMIT);
        Matcher counted = COUNTED.matcher(asker.log());
        if (!counted.find()) {
          throw new AssertionError("requests were not counted: " + asker.log());
        }
        answered += Long.parseLong(counted.group(1));
        failed += Long.parseLong(counted.group(2));
      }
      return new Requests(answered, failed);
    }

    /** Which requests got no answer, and when. */
    public String failures() {
      return String.join("\n", askers.stream().map(Service::log).toList());
    }
  }

  public Host gateway() {
    return lab().host("gateway");
  }

  public Host client() {
    return lab().host("client");
  }

  public Host server() {
    return lab().host("server");
  }

  @Override
  void build(Lab lab) {
    Segment inside = lab.segment("inside");
    Segment outside = lab.segment("outside");
    lab.together(
        List.of(
            () -> lab.host("manager", Image.BASE, outside),
            () -> lab.host("server", Image.BASE, outside),
            () -> lab.host("client", Image.BASE, inside),
            () -> lab.router("gateway", Image.GATEWAY, outside, inside)));
    Host gateway = lab.host("gateway");
    Host client = lab.host("client");
    Host server = lab.host("server");
    client.routeThrough(gateway, inside);
    // Docker's answers to names hang on rules in the gateway, which a test flushes.
    gateway.sh("echo '%s manager' >>/etc/hosts".formatted(lab.host("manager").address()));
    // Without this the answers could come back without the gateway.
    server.dropDefaultRoute();
    for (String file : List.of("nat-gateway.sh", "nat-digest.sh")) {
      gateway.write(FILES + file, resource(file));
    }
    gateway.sh(
        "sh %snat-gateway.sh %s %s %s"
            .formatted(FILES, inside.subnet(), client.address(), server.address()));
    for (Host host : List.of(client, server)) {
      host.write(FILES + "serve.pl", resource("serve.pl"));
      host.write(FILES + "ask.pl", resource("ask.pl"));
      host.launch("serve", "perl", FILES + "serve.pl", "" + WEB);
    }
  }

  @Override
  void install(Fleet fleet) {
    installAgent(fleet);
  }

  /** Pastes an install command on the gateway. */
  public void installAgent(Fleet fleet) {
    fleet.install(fleet.installCommand("--group", "gateways"), gateway());
  }

  /** Installs a package over the agent that is there; it differs by its version only. */
  public void upgradeAgent() {
    Path deb = Packages.deb("agent");
    gateway().copyIn(deb, "/root/agent.deb");
    // As large as the program, which takes a moment to write on a busy machine.
    Result upgraded =
        gateway()
            .run(
                UPGRADE_LIMIT,
                "sh",
                "-ec",
                """
                cd /root
                dpkg-deb -R agent.deb next
                mv "next/opt/towline/agent/versions/$0" "next/opt/towline/agent/versions/$0.1"
                sed -i "s/\\b$0\\b/$0.1/g" next/DEBIAN/control next/DEBIAN/postinst
                rm -f next/DEBIAN/md5sums
                dpkg-deb -Znone -b next next.deb
                dpkg -i next.deb
                rm -rf next next.deb agent.deb
                test "$(readlink /opt/towline/agent/current)" = "versions/$0.1"
                """,
                Packages.version());
    if (!upgraded.ok()) {
      throw new AssertionError("upgrade: " + upgraded);
    }
  }

  /**
   * Everything on the gateway that decides about packets and is not Towline's, counters left out.
   */
  public String foreign() {
    return gateway().sh("sh " + FILES + "nat-digest.sh 2>/dev/null");
  }

  /** Towline's tables on the gateway; empty when there are none. */
  public String own() {
    return gateway()
        .sh("for f in inet arp netdev; do nft -s list table $f towline 2>/dev/null || true; done");
  }

  /**
   * Begins to ask through the gateway in both directions: the server from the client, translated,
   * and the client from the server, forwarded.
   *
   * @param name other than of the ones before
   */
  public Asking ask(String name) {
    List<Service> askers =
        List.of(
            client().launch("out-" + name, "perl", FILES + "ask.pl", server().address(), "" + WEB),
            server()
                .launch(
                    "in-" + name, "perl", FILES + "ask.pl", gateway().address(), "" + FORWARDED));
    return new Asking(askers);
  }

  private static String resource(String name) {
    try (InputStream in =
        Objects.requireNonNull(NatGateway.class.getResourceAsStream("/topology/" + name))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
