package dev.towline.manager.uplink;

import dev.towline.manager.events.Events;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.sending.SendingReports;
import dev.towline.manager.session.KeptRecords;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.netty.shaded.io.netty.buffer.ByteBufAllocator;
import io.grpc.netty.shaded.io.netty.buffer.PooledByteBufAllocator;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/** What all lanes share. Safe for use by several threads. */
public final class Uplinks {
  private final Fleet fleet;
  private final PeerVerifier verifier;
  private final Sessions sessions;
  private final Events events;
  private final Executor executor;
  private final SslContext tls;
  private final ByteBufAllocator allocator = PooledByteBufAllocator.DEFAULT;

  public Uplinks(
      TlsProfile profile,
      Fleet fleet,
      PeerVerifier verifier,
      Sessions sessions,
      Events events,
      Executor executor) {
    this.fleet = fleet;
    this.verifier = verifier;
    this.sessions = sessions;
    this.events = events;
    this.executor = executor;
    this.tls =
        FleetTls.innerServer(
            profile,
            () -> Optional.of(fleet.manager()),
            verifier,
            identity -> identity.role() == Role.AGENT);
  }

  UplinkLane newLane(String proxy, String source, UplinkLane.Port port) {
    return new UplinkLane(proxy, source, this, port, sessions, events);
  }

  SealedChannel newChannel() {
    return SealedChannel.server(
        tls, verifier, identity -> identity.role() == Role.AGENT, allocator);
  }

  SendingReports reports() {
    return sessions.services().sending().reports();
  }

  /** Takes what a proxy kept. */
  KeptIntake newIntake(String proxy, Consumer<DownlinkFrame> answers, Consumer<String> giveUp) {
    var services = sessions.services();
    return new KeptIntake(
        proxy,
        new KeptIntake.Services(
            services.store(),
            services.logBatches(),
            new KeptRecords(services),
            events,
            services.clock(),
            executor),
        answers,
        giveUp);
  }

  String managerId() {
    return fleet.manager().identity().id();
  }

  Executor executor() {
    return executor;
  }
}
