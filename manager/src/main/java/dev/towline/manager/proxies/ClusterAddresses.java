package dev.towline.manager.proxies;

import dev.towline.manager.nodes.Node;
import dev.towline.proto.v1.ResolvedAddress;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Where a cluster's address leads, seen from the manager (P2). Blocks on the name service. */
public final class ClusterAddresses {
  private final Lookup lookup;

  /** Tells the addresses behind a name; may block. */
  @FunctionalInterface
  public interface Lookup {
    InetAddress[] addresses(String host) throws UnknownHostException;
  }

  public ClusterAddresses(Lookup lookup) {
    this.lookup = lookup;
  }

  /**
   * @param addresses what the name leads to
   * @param warnings what does not fit, one sentence each
   */
  public record Resolution(List<ResolvedAddress> addresses, List<String> warnings) {
    public Resolution {
      addresses = List.copyOf(addresses);
      warnings = List.copyOf(warnings);
    }
  }

  public Resolution resolve(ProxyCluster cluster, List<Node> proxies) {
    List<String> found;
    try {
      found =
          Arrays.stream(lookup.addresses(cluster.address()))
              .map(InetAddress::getHostAddress)
              .distinct()
              .sorted()
              .toList();
    } catch (UnknownHostException e) {
      return new Resolution(
          List.of(),
          List.of(
              cluster.address()
                  + " can't be resolved here; hosts that use the cluster have to resolve it"));
    }
    List<ResolvedAddress> addresses = new ArrayList<>();
    List<String> warnings = new ArrayList<>();
    for (String address : found) {
      Optional<Node> owner =
          proxies.stream()
              .filter(proxy -> proxy.facts().getAddressesList().contains(address))
              .findFirst();
      addresses.add(
          ResolvedAddress.newBuilder()
              .setAddress(address)
              .setProxy(owner.map(Node::name).orElse(""))
              .build());
      if (owner.isEmpty() && !proxies.isEmpty()) {
        warnings.add(
            address
                + " is on no proxy of the cluster: right for a load balancer or a virtual IP, else"
                + " hosts find nobody there");
      }
    }
    boolean direct = addresses.stream().anyMatch(address -> !address.getProxy().isEmpty());
    for (Node proxy : proxies) {
      if (direct && proxy.facts().getAddressesList().stream().noneMatch(found::contains)) {
        warnings.add(
            cluster.address()
                + " does not lead to proxy "
                + proxy.name()
                + ": no host will use it; add one of its addresses to the name");
      }
    }
    return new Resolution(addresses, warnings);
  }
}
