package dev.towline.it.topology;

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
  private final List<String> agents;
  private @Nullable DmzFirewall firewall;

  public DmzPair(int agents) {
    this(agents, Lab::open);
  }

  DmzPair(int agents, Function<String, Lab> labs) {
    super("dmz-pair", "a relay pair across a firewall that lets nothing connect inwards", labs);
    this.agents = numbered("agent", agents);
  }

  public Host manager() {
    return lab().host("manager");
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
    hosts.add(() -> between.guard(lab.host("child", Image.BASE, dmz)));
    agents.forEach(agent -> hosts.add(() -> between.guard(lab.host(agent, Image.BASE, dmz))));
    lab.together(hosts);
    firewall = between;
  }
}
