package dev.towline.relay.parent;

import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.TunnelReport;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Tells the manager which of the connections it sees come through this relay, and from where: right
 * after each connected, when it ends, and all of them at the start of each session.
 *
 * <p>Threading: the loop. Failure: what could not be sent is told again by the next session.
 */
public final class OpenTunnels {
  private final String ownId;
  private final Consumer<TunnelReport> reports;
  private final Map<Channel, TunnelReport> open = new LinkedHashMap<>();
  private final Map<InetSocketAddress, TunnelReport> byAddress = new HashMap<>();

  /**
   * @param reports sends on the present session, or forgets when there is none; must not block
   */
  public OpenTunnels(String ownId, Consumer<TunnelReport> reports) {
    this.ownId = ownId;
    this.reports = reports;
  }

  void opened(OpenTunnel tunnel, Channel channel) {
    if (!(channel.localAddress() instanceof InetSocketAddress local)) {
      return;
    }
    TunnelReport report =
        TunnelReport.newBuilder()
            .setLocalAddress(local.getAddress().getHostAddress())
            .setLocalPort(local.getPort())
            .setSourceAddress(tunnel.getSourceAddress())
            .addAllHops(tunnel.getHopsList())
            .addHops(ownId)
            .build();
    open.put(channel, report);
    byAddress.put(local, report);
    reports.accept(report);
    var _ =
        channel
            .closeFuture()
            .addListener(_ -> {
              byAddress.remove(local, report);
              if (open.remove(channel) != null) {
                reports.accept(report.toBuilder().setClosed(true).build());
              }
            });
  }

  /**
   * What is known of a connection that this process itself opened, when it arrives at a listener of
   * its own: in a chain of pairs the source and the hops are those of the outermost child.
   */
  public Optional<TunnelReport> from(InetSocketAddress local) {
    return Optional.ofNullable(byAddress.get(local));
  }

  /** To be called on the loop when a session starts. */
  public void reportAll() {
    List.copyOf(open.values()).forEach(reports);
  }

  public int count() {
    return open.size();
  }
}
