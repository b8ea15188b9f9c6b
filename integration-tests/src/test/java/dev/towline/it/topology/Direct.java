package dev.towline.it.topology;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** A manager and agents on one network. */
public final class Direct extends AbstractTopology {
  private final List<String> agents;

  public Direct(int agents) {
    this(agents, Lab::open);
  }

  Direct(int agents, Function<String, Lab> labs) {
    super("direct", "agents that reach the manager by themselves, on one network", labs);
    this.agents = numbered("agent", agents);
  }

  public List<Host> agents() {
    return lab().hosts(agents);
  }

  @Override
  void build(Lab lab) {
    Segment lan = lab.segment("lan");
    var hosts = new ArrayList<Runnable>();
    hosts.add(() -> lab.host("manager", Image.BASE, lan));
    agents.forEach(agent -> hosts.add(() -> lab.host(agent, agentImage(agent), lan)));
    lab.together(hosts);
  }

  @Override
  void install(Fleet fleet) {
    installAll(fleet, fleet.installCommand("--group", "web"), agents());
  }
}
