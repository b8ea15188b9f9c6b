package dev.towline.relay.parent;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ChildFrame;
import dev.towline.proto.v1.ChildHello;
import dev.towline.proto.v1.LinkSettings;
import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.ParentFrame;
import dev.towline.proto.v1.ParentHello;
import dev.towline.proto.v1.RelayDrain;
import dev.towline.proto.v1.RelayPing;
import dev.towline.proto.v1.RelayPong;
import dev.towline.proto.v1.RelayServiceGrpc;
import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.link.LinkBuffers;
import dev.towline.relay.link.LinkCounters;
import dev.towline.relay.link.LinkMonitor;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.tunnel.CarryMethod;
import dev.towline.relay.tunnel.Connector;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.relay.tunnel.Tunnel;
import dev.towline.relay.tunnel.TunnelEnd;
import dev.towline.relay.tunnel.TunnelPump;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * One persistent connection to a child, from dialling to its end. Never dials twice.
 *
 * <p>Lifecycle: {@link #start} → the listener hears {@code up} at most once and {@code down}
 * exactly once, after which nothing of the connection is left. Threading: the loop. Failure: a
 * child that does not answer, is not the listed one, or misses two pings ends it.
 */
final class ChildConnection {
  private final RelayIo io;
  private ParentSettings settings;
  private final ChildTrust trust;
  private final Connector connector;
  private final CreditBudget budget;
  private final Listener listener;
  private final byte[] nonce;
  private final ParentHello hello;

  private final Set<ClientCarry> carries = new HashSet<>();
  private final LinkCounters counters = new LinkCounters();
  private int taken;
  private @Nullable ManagedChannel channel;
  private @Nullable ClientCall<ParentFrame, ChildFrame> hold;
  private @Nullable LinkMonitor monitor;
  private boolean paired;
  private boolean up;
  private boolean down;
  private boolean draining;
  private boolean childDraining;

  /** Hears on the loop. */
  interface Listener {
    /**
     * @param registered false when only the child's enrollment may pass
     */
    void up(boolean registered);

    /** The child said that it stops, or that it does not. */
    void childDrains(boolean drains, String reason);

    void down(String reason);
  }

  ChildConnection(
      RelayIo io,
      ParentSettings settings,
      ChildTrust trust,
      Connector connector,
      CreditBudget budget,
      String instance,
      int index,
      List<String> hops,
      byte[] nonce,
      Listener listener) {
    this.io = io;
    this.settings = settings;
    this.trust = trust;
    this.connector = connector;
    this.budget = budget;
    this.listener = listener;
    this.nonce = nonce;
    this.hello =
        ParentHello.newBuilder()
            .setNonce(ByteString.copyFrom(nonce))
            .setInstance(instance)
            .setPingIntervalMs(Math.toIntExact(settings.pace().interval().toMillis()))
            .addAllHops(hops)
            .setConnection(index)
            .build();
  }

  void start(InetSocketAddress address) {
    if (down) {
      return;
    }
    ManagedChannel dialled =
        NettyChannelBuilder.forAddress(address)
            .eventLoopGroup(io.group())
            .channelType(io.socketType())
            .withOption(
                ChannelOption.CONNECT_TIMEOUT_MILLIS,
                Math.toIntExact(settings.connectTimeout().toMillis()))
            .withOption(ChannelOption.WRITE_BUFFER_WATER_MARK, LinkBuffers.WRITES)
            .withOption(ChannelOption.RECVBUF_ALLOCATOR, LinkBuffers.reads())
            .directExecutor()
            .sslContext(trust.tls())
            // A retry would keep and send again what the tunnel has already given up.
            .disableRetry()
            .flowControlWindow(CarryMethod.FLOW_CONTROL_WINDOW)
            .maxInboundMessageSize(4 * Tunnel.MAX_CHUNK)
            .keepAliveTime(settings.pace().interval().toMillis(), TimeUnit.MILLISECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .build();
    channel = dialled;
    ClientCall<ParentFrame, ChildFrame> call =
        dialled.newCall(RelayServiceGrpc.getHoldMethod(), CallOptions.DEFAULT);
    hold = call;
    call.start(new HoldListener(), new Metadata());
    call.request(Integer.MAX_VALUE);
    call.sendMessage(ParentFrame.newBuilder().setHello(hello).build());
    Duration patience = settings.connectTimeout().multipliedBy(2);
    var _ =
        io.loop()
            .schedule(
                () -> {
                  if (!up) {
                    end("no answer within " + patience.toMillis() + " ms");
                  }
                },
                patience.toMillis(),
                TimeUnit.MILLISECONDS);
  }

  /** Takes no new tunnels; those that live go on. */
  void drain(String reason) {
    draining = true;
    if (up) {
      send(ParentFrame.newBuilder().setDrain(RelayDrain.newBuilder().setReason(reason)));
    }
  }

  /** Takes new tunnels again. */
  void resume() {
    draining = false;
    if (up) {
      send(ParentFrame.newBuilder().setDrain(RelayDrain.newBuilder().setOver(true)));
    }
  }

  boolean draining() {
    return draining;
  }

  /** Whether the child said that it stops. */
  boolean childDraining() {
    return childDraining;
  }

  int taken() {
    return taken;
  }

  /** The settings changed: what can change on a standing connection changes. */
  void tuned(ParentSettings now) {
    ParentSettings before = settings;
    settings = now;
    if (monitor != null && !before.pace().equals(now.pace())) {
      monitor.pace(now.pace());
      send(
          ParentFrame.newBuilder()
              .setSettings(
                  LinkSettings.newBuilder()
                      .setPingIntervalMs(Math.toIntExact(now.pace().interval().toMillis()))));
    }
  }

  void close(String reason) {
    end(reason);
  }

  boolean isUp() {
    return up && !down;
  }

  @Nullable Duration roundTrip() {
    return monitor == null ? null : monitor.roundTrip();
  }

  int reserveCount() {
    return carries.size() - taken;
  }

  LinkCounters.Totals totals() {
    return counters.with(
        carries.stream().filter(ClientCarry::taken).map(ClientCarry::tunnel).toList());
  }

  /** Asks again whether the child's certificate holds: it may have expired or been revoked. */
  void recheck() {
    SSLSession session =
        hold == null || !up || paired
            ? null
            : hold.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    if (session != null
        && trust.check(session, nonce, new byte[0])
            instanceof ChildTrust.Verdict.Refused(String reason)) {
      end(reason);
    }
  }

  // The child's frames.

  private void received(ChildFrame frame) {
    if (down) {
      return;
    }
    if (!up) {
      if (frame.hasHello()) {
        greeted(frame.getHello());
      } else {
        end("the child did not say hello first");
      }
      return;
    }
    switch (frame.getFrameCase()) {
      case PING ->
          send(
              ParentFrame.newBuilder()
                  .setPong(RelayPong.newBuilder().setNumber(frame.getPing().getNumber())));
      case PONG -> {
        if (monitor != null) {
          monitor.pong(frame.getPong().getNumber());
        }
      }
      case CARRY_WANTED -> open(Math.min(frame.getCarryWanted(), settings.maxReserve()));
      case DRAIN -> {
        childDraining = !frame.getDrain().getOver();
        listener.childDrains(childDraining, frame.getDrain().getReason());
      }
      case HELLO, FRAME_NOT_SET -> {}
    }
  }

  private void greeted(ChildHello answer) {
    SSLSession session =
        hold == null ? null : hold.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    if (session == null) {
      end("the connection is not encrypted");
      return;
    }
    switch (trust.check(session, nonce, answer.getPairingProof().toByteArray())) {
      case ChildTrust.Verdict.Refused(String reason) -> end("not the listed child: " + reason);
      case ChildTrust.Verdict.Paired _ -> admitted(true);
      case ChildTrust.Verdict.Registered _ -> admitted(false);
    }
  }

  private void admitted(boolean byPairing) {
    up = true;
    paired = byPairing;
    LinkMonitor started =
        new LinkMonitor(
            io.loop(),
            settings.pace(),
            number ->
                send(ParentFrame.newBuilder().setPing(RelayPing.newBuilder().setNumber(number))),
            () -> end("no answer to pings"));
    monitor = started;
    started.start();
    if (draining) {
      drain("this parent drains");
    }
    listener.up(!byPairing);
  }

  private void send(ParentFrame.Builder frame) {
    if (hold != null && !down) {
      hold.sendMessage(frame.build());
    }
  }

  // Streams.

  private void open(int wanted) {
    ManagedChannel dialled = channel;
    int count = Math.min(wanted, settings.maxReserve() - reserveCount());
    for (int i = 0; i < count && dialled != null && !down; i++) {
      carries.add(ClientCarry.open(dialled, io.loop(), this::connect, budget, new CarryOwner()));
    }
  }

  /** Before the child is registered, its own enrollment is all that may pass (R6). */
  private void connect(OpenTunnel open, TunnelPump pump) {
    if (paired && open.getTarget() != RelayTarget.RELAY_TARGET_SESSION) {
      connector.refuse(pump, "NOT_REGISTERED", "the child is not registered yet");
      return;
    }
    if (taken > CarryMethod.MAX_TUNNELS) {
      connector.refuse(
          pump,
          "CONNECTION_FULL",
          CarryMethod.MAX_TUNNELS + " tunnels go over this connection, as many as may");
      return;
    }
    connector.connect(open, pump);
  }

  private final class CarryOwner implements ClientCarry.Owner {
    @Override
    public void taken(ClientCarry carry) {
      taken++;
    }

    @Override
    public void ended(ClientCarry carry, TunnelEnd how) {
      if (carries.remove(carry) && carry.taken()) {
        taken--;
        counters.ended(carry.tunnel());
      }
    }
  }

  private void end(String reason) {
    if (down) {
      return;
    }
    down = true;
    if (monitor != null) {
      monitor.stop();
    }
    if (channel != null) {
      // Ends every call on it, and with them the tunnels.
      channel.shutdownNow();
    }
    listener.down(reason);
  }

  private final class HoldListener extends ClientCall.Listener<ChildFrame> {
    @Override
    public void onMessage(ChildFrame frame) {
      io.loop().execute(() -> received(frame));
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      io.loop()
          .execute(() -> end(status.isOk() ? "the child closed it" : ClientCarry.describe(status)));
    }
  }
}
