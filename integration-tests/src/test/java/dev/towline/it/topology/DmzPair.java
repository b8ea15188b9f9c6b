package dev.towline.it.topology;

import dev.towline.it.Packages;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListRelaysResponse;
import dev.towline.proto.v1.PairedRelays;
import dev.towline.proto.v1.RelayInfo;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Manager and parent relay on an inner network, child relay and agents in a DMZ, and between them a
 * firewall that lets nothing connect inwards. It is the only way out for every host.
 */
public final class DmzPair extends AbstractTopology {
  /** What the relays are called. */
  public static final String PARENT = "hq";

  public static final String CHILD = "dmz";

  private static final Duration LINK_LIMIT = Duration.ofMinutes(2);

  private final List<String> agents;
  private @Nullable DmzFirewall firewall;

  public DmzPair(int agents) {
    this(agents, Lab::open);
  }

  DmzPair(int agents, Function<String, Lab> labs) {
    super("dmz-pair", "a relay pair across a firewall that lets nothing connect inwards", labs);
    this.agents = numbered("agent", agents);
  }

  public Host parent() {
    return lab().host("parent");
  }

  public Host child() {
    return lab().host("child");
  }

  public List<Host> agents() {
    return lab().hosts(agents);
  }

  public DmzFirewall firewall() {
    lab();
    return Objects.requireNonNull(firewall);
  }

  @Override
  void build(Lab lab) {
    Segment inner = lab.segment("inner");
    Segment dmz = lab.segment("dmz");
    DmzFirewall between = DmzFirewall.start(lab, inner, dmz);
    var hosts = new ArrayList<Runnable>();
    for (String name : List.of("manager", "parent")) {
      hosts.add(() -> between.guard(lab.host(name, Image.BASE, inner)));
    }
    hosts.add(() -> between.guard(lab.host("child", Image.SYSTEMD, dmz)));
    agents.forEach(
        agent -> hosts.add(() -> between.guard(lab.host(agent, agentImage(agent), dmz))));
    lab.together(hosts);
    firewall = between;
  }

  @Override
  void install(Fleet fleet) {
    installParent(fleet);
    installChild(fleet);
    installAgents(fleet);
  }

  /** The relay in the secure zone; it has nobody to dial yet. */
  private void installParent(Fleet fleet) {
    fleet.install(
        fleet.ask(CreatedInstallCommand.newBuilder(), "relays", "parent-command", PARENT).build(),
        parent());
  }

  /** The child reaches nothing, so its package comes by hand, as a person would carry it there. */
  private void installChild(Fleet fleet) {
    PairedRelays paired =
        fleet
            .ask(
                PairedRelays.newBuilder(),
                "relays",
                "pair",
                "--parent",
                PARENT,
                "--child",
                CHILD,
                "--dial",
                child().address(),
                "--downstream",
                child().address())
            .build();
    // Where the line is pasted: a shell in a container begins at the root.
    child().copyIn(Packages.tarball("relay"), "/" + Packages.tarball("relay").getFileName());
    fleet.install(paired.getChild(), child());
    Await.until(
        "the child is online",
        LINK_LIMIT,
        () -> relay(fleet, CHILD) == HostState.HOST_STATE_ONLINE);
  }

  private static HostState relay(Fleet fleet, String name) {
    return fleet.ask(ListRelaysResponse.newBuilder(), "relays", "list").getRelaysList().stream()
        .filter(relay -> relay.getName().equals(name))
        .findFirst()
        .map(RelayInfo::getState)
        .orElse(HostState.HOST_STATE_UNSPECIFIED);
  }

  private void installAgents(Fleet fleet) {
    installAll(fleet, fleet.installCommand("--group", "dmz", "--relay", CHILD), agents());
  }
}
