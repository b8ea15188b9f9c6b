package dev.towline.it.topology;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Agents on a network with no way out, and proxies with a leg on it and on the manager's. */
public final class ProxyCluster extends AbstractTopology {
  private final List<String> proxies;
  private final List<String> agents;

  public ProxyCluster(int proxies, int agents) {
    this(proxies, agents, Lab::open);
  }

  ProxyCluster(int proxies, int agents, Function<String, Lab> labs) {
    super("proxy-cluster", "agents with no route to the manager, carried by proxies", labs);
    this.proxies = numbered("proxy", proxies);
    this.agents = numbered("agent", agents);
  }

  public Host manager() {
    return lab().host("manager");
  }

  public List<Host> proxies() {
    return lab().hosts(proxies);
  }

  public List<Host> agents() {
    return lab().hosts(agents);
  }

  /** The network of the manager. */
  public Segment core() {
    return lab().segmentNamed("core");
  }

  /** The network of the agents. */
  public Segment site() {
    return lab().segmentNamed("site");
  }

  @Override
  void build(Lab lab) {
    Segment core = lab.segment("core");
    Segment site = lab.sealedSegment("site");
    var hosts = new ArrayList<Runnable>();
    hosts.add(() -> lab.host("manager", Image.BASE, core));
    proxies.forEach(proxy -> hosts.add(() -> lab.host(proxy, Image.BASE, core, site)));
    agents.forEach(agent -> hosts.add(() -> lab.host(agent, Image.BASE, site)));
    lab.together(hosts);
  }
}
