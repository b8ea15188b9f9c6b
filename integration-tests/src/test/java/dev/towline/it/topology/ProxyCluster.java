package dev.towline.it.topology;

import dev.towline.proto.v1.CreatedInstallCommand;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Agents on a network with no way out, and proxies with a leg on it and on the manager's. */
public final class ProxyCluster extends AbstractTopology {
  /** What the cluster is called. */
  public static final String CLUSTER = "dc1";

  /** Under this name the agents find all proxies. */
  private static final String ADDRESS = "proxy.dc1.example";

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
    proxies.forEach(proxy -> hosts.add(() -> lab.host(proxy, Image.BASE, ADDRESS, core, site)));
    agents.forEach(
        agent -> hosts.add(() -> lab.host(agent, agentImage(agent), site).dropDefaultRoute()));
    lab.together(hosts);
  }

  @Override
  void install(Fleet fleet) {
    fleet.towline("proxies", "create-cluster", CLUSTER, "--address", ADDRESS);
    lab()
        .together(
            proxies().stream()
                .<Runnable>map(proxy -> () -> fleet.install(proxyCommand(fleet), proxy))
                .toList());
    installAll(fleet, fleet.installCommand("--group", "web", "--proxy-cluster", CLUSTER), agents());
  }

  /** A further host on the network of the agents, with nothing installed. */
  public Host addAgent(String name) {
    Host host = lab().host(name, agentImage(name), site());
    host.dropDefaultRoute();
    return host;
  }

  /** A further host with a leg on either network, found under the cluster's name as well. */
  public Host addGateway(String name) {
    return lab().host(name, Image.BASE, ADDRESS, core(), site());
  }

  /** Each holds for one proxy. */
  private static CreatedInstallCommand proxyCommand(Fleet fleet) {
    return fleet.ask(CreatedInstallCommand.newBuilder(), "proxies", "command", CLUSTER).build();
  }
}
