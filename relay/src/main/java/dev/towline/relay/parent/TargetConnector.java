package dev.towline.relay.parent;

import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.link.Addresses;
import dev.towline.relay.link.Refusals;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.tunnel.Connector;
import dev.towline.relay.tunnel.LocalSocket;
import dev.towline.relay.tunnel.TunnelPump;
import dev.towline.runtime.tls.ServerAddress;
import io.grpc.netty.shaded.io.netty.bootstrap.Bootstrap;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelInitializer;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Connects tunnels to what their target means here: configured addresses, never one that a child
 * names. With several, the one that answered last is tried first.
 *
 * <p>Threading: the loop; names are looked up on the executor.
 */
public final class TargetConnector implements Connector {
  private static final Logger LOG = LoggerFactory.getLogger(TargetConnector.class);

  private final RelayIo io;
  private final Executor lookups;
  private final Duration connectTimeout;
  private final OpenTunnels tunnels;
  private final Refusals refusals = new Refusals();
  private final Map<RelayTarget, List<ServerAddress>> targets = new EnumMap<>(RelayTarget.class);

  public TargetConnector(
      RelayIo io,
      Executor lookups,
      Duration connectTimeout,
      OpenTunnels tunnels,
      Map<RelayTarget, List<ServerAddress>> targets) {
    this.io = io;
    this.lookups = lookups;
    this.connectTimeout = connectTimeout;
    this.tunnels = tunnels;
    targets(targets);
  }

  /** From now on these; what is connected goes on. To be called on the loop. */
  public void targets(Map<RelayTarget, List<ServerAddress>> wanted) {
    targets.clear();
    wanted.forEach((target, addresses) -> targets.put(target, new ArrayList<>(addresses)));
  }

  @Override
  public void connect(OpenTunnel open, TunnelPump pump) {
    List<ServerAddress> addresses = targets.getOrDefault(open.getTarget(), List.of());
    if (addresses.isEmpty()) {
      refuse(pump, "TARGET_UNKNOWN", "this parent has no address for target " + open.getTarget());
      return;
    }
    tryNext(open, pump, List.copyOf(addresses), 0);
  }

  @Override
  public void refuse(TunnelPump pump, String code, String detail) {
    refusals.count(code);
    pump.connectFailed(code, detail);
  }

  /** How often tunnels were refused, by reason. To be asked on the loop. */
  public Map<String, Long> refusals() {
    return refusals.counts();
  }

  private void tryNext(OpenTunnel open, TunnelPump pump, List<ServerAddress> addresses, int index) {
    ServerAddress address = addresses.get(index);
    if (Addresses.isLiteral(address)) {
      connect(open, pump, addresses, index, Addresses.resolve(address));
    } else {
      lookups.execute(() -> {
        InetSocketAddress resolved = Addresses.resolve(address);
        io.loop().execute(() -> connect(open, pump, addresses, index, resolved));
      });
    }
  }

  private void connect(
      OpenTunnel open,
      TunnelPump pump,
      List<ServerAddress> addresses,
      int index,
      InetSocketAddress resolved) {
    if (pump.tunnel().end() != null) {
      return;
    }
    if (resolved.isUnresolved()) {
      failed(open, pump, addresses, index, "the name can't be resolved");
      return;
    }
    LocalSocket[] socket = new LocalSocket[1];
    var _ =
        new Bootstrap()
            .group(io.loop())
            .channel(io.socketType())
            .option(ChannelOption.AUTO_READ, false)
            .option(
                ChannelOption.CONNECT_TIMEOUT_MILLIS, Math.toIntExact(connectTimeout.toMillis()))
            .handler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    socket[0] = new LocalSocket(channel);
                  }
                })
            .connect(resolved)
            .addListener(future -> {
              if (future.isSuccess()) {
                preferred(open.getTarget(), addresses.get(index));
                tunnels.opened(open, socket[0].channel());
                pump.connected(socket[0]);
              } else {
                failed(open, pump, addresses, index, String.valueOf(future.cause().getMessage()));
              }
            });
  }

  private void failed(
      OpenTunnel open, TunnelPump pump, List<ServerAddress> addresses, int index, String reason) {
    LOG.warn("target {} at {}: {}", open.getTarget(), addresses.get(index), reason);
    if (index + 1 < addresses.size()) {
      tryNext(open, pump, addresses, index + 1);
    } else {
      refuse(pump, "TARGET_UNREACHABLE", "no address of the target answered");
    }
  }

  private void preferred(RelayTarget target, ServerAddress address) {
    List<ServerAddress> addresses = targets.get(target);
    if (addresses != null && !addresses.getFirst().equals(address) && addresses.remove(address)) {
      addresses.addFirst(address);
    }
  }
}
