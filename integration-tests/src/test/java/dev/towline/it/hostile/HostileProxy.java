package dev.towline.it.hostile;

import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.EnrollmentRequest;
import dev.towline.proto.v1.EnrollmentResponse;
import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkServiceGrpc;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.runtime.tls.ServerAddress;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.ServerInterceptors;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A proxy in the wrong hands: its certificate is real, and it does to its agents' talk what the
 * {@link Attack} says.
 *
 * <p>Lifecycle: listens and holds its lane from construction to {@link #close}. A lane that breaks
 * ends all agents' streams and is opened anew with the next one.
 *
 * <p>Threading: all state belongs to one thread; {@link #run} brings work onto it.
 */
final class HostileProxy implements AutoCloseable {
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("hostile-").factory());
  private final ManagedChannel manager;
  private final Server server;
  private final Map<String, Attack> attacks = new HashMap<>();
  private final Map<Long, AgentLink> sessions = new HashMap<>();
  private final List<AgentLink> waiting = new ArrayList<>();
  private final List<EnrollmentRequest> enrollments = new ArrayList<>();
  private Attack enrollmentAttack = Attack.NONE;
  private @Nullable StreamObserver<UplinkFrame> lane;
  private boolean laneReady;
  private long lastSession;
  private int initialCredit;

  HostileProxy(
      IssuedIdentity stolen,
      PeerVerifier verifier,
      InetSocketAddress listen,
      ServerAddress managerAddress) {
    this.manager =
        NettyChannelBuilder.forAddress(managerAddress.host(), managerAddress.port())
            .sslContext(
                FleetTls.client(
                    () -> Optional.of(stolen), verifier, peer -> peer.role() == Role.MANAGER))
            .directExecutor()
            .build();
    PeerInterceptor access = new PeerInterceptor(verifier, (method, peer, reason) -> {});
    try {
      this.server =
          NettyServerBuilder.forAddress(listen)
              .sslContext(FleetTls.server(() -> Optional.of(stolen), verifier, ClientAuth.OPTIONAL))
              .directExecutor()
              .permitKeepAliveTime(1, TimeUnit.SECONDS)
              .permitKeepAliveWithoutCalls(true)
              .addService(ServerInterceptors.intercept(new Sessions(), access))
              .addService(ServerInterceptors.intercept(new Enrollment(), access))
              .build()
              .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Does work on the proxy's thread and waits for it. */
  <T> T run(Callable<T> work) {
    try {
      return thread.submit(work).get(20, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new AssertionError("hostile proxy failed", e.getCause());
    } catch (InterruptedException | TimeoutException e) {
      throw new AssertionError("hostile proxy does not answer", e);
    }
  }

  /** From now on this is done to the talk of the agent. */
  void attack(NodeIdentity agent, Attack attack) {
    run(() -> attacks.put(agent.uri(), attack));
  }

  void attackEnrollment(Attack attack) {
    run(() -> {
      enrollments.clear();
      return enrollmentAttack = attack;
    });
  }

  /** Steps of enrollments since the last attack on them was set, as they came. */
  List<EnrollmentRequest> enrollments() {
    return run(() -> List.copyOf(enrollments));
  }

  /** Everything is passed on again. */
  void behave() {
    run(() -> {
      attacks.clear();
      enrollmentAttack = Attack.NONE;
      return true;
    });
  }

  /** The link of an agent that is there. Only on the proxy's thread. */
  Optional<AgentLink> link(NodeIdentity agent) {
    return sessions.values().stream()
        .filter(link -> link.isOpen() && link.identity().equals(agent.uri()))
        .findFirst();
  }

  /** The proxy's own connection to the manager. */
  ManagedChannel channel() {
    return manager;
  }

  int initialCredit() {
    return initialCredit;
  }

  void toManager(UplinkFrame frame) {
    if (lane != null) {
      lane.onNext(frame);
    }
  }

  @Override
  public void close() {
    server.shutdownNow();
    manager.shutdownNow();
    thread.shutdownNow();
  }

  private Attack attackOn(AgentLink link) {
    return attacks.getOrDefault(link.identity(), Attack.NONE);
  }

  private void agentOpened(AgentLink link) {
    waiting.add(link);
    if (lane == null) {
      lane = UplinkServiceGrpc.newStub(manager).open(new Lane());
      lane.onNext(
          UplinkFrame.newBuilder()
              .setHello(
                  UplinkHello.newBuilder()
                      .setLane(UplinkHello.Lane.CONTROL)
                      .setInstance(UUID.randomUUID().toString()))
              .build());
    }
    announce();
  }

  private void announce() {
    if (!laneReady) {
      return;
    }
    for (AgentLink link : List.copyOf(waiting)) {
      link.openSession(++lastSession, attackOn(link).claim(link));
      sessions.put(lastSession, link);
      attackOn(link).ready(link);
    }
    waiting.clear();
  }

  private void agentFrame(AgentLink link, UpFrame frame) {
    switch (frame.getPayloadCase()) {
      case SEALED -> attackOn(link).up(link, frame.getSealed());
      case CREDIT -> link.toManager(UplinkFrame.newBuilder().setCredit(frame.getCredit()));
      case UPSTREAM, LOG_BATCH, OPEN, PAYLOAD_NOT_SET -> {}
    }
  }

  private void agentGone(AgentLink link) {
    link.gone();
    waiting.remove(link);
    if (sessions.remove(link.session(), link)) {
      attackOn(link).gone(link);
    }
  }

  private void managerFrame(DownlinkFrame frame) {
    if (frame.hasWelcome()) {
      initialCredit = frame.getWelcome().getInitialCredit();
      laneReady = true;
      announce();
      return;
    }
    AgentLink link = sessions.get(frame.getSession());
    if (link == null) {
      return;
    }
    switch (frame.getFrameCase()) {
      case SEALED -> attackOn(link).down(link, frame.getSealed());
      case CREDIT -> link.toAgent(DownFrame.newBuilder().setCredit(frame.getCredit()).build());
      case CLOSE -> {
        sessions.remove(frame.getSession());
        link.endAgent(frame.getClose().getCode());
      }
      case WELCOME, KEPT_ACK, SHARE, FRAME_NOT_SET -> {}
    }
  }

  private void laneLost() {
    lane = null;
    laneReady = false;
    List<AgentLink> orphans = new ArrayList<>(sessions.values());
    orphans.addAll(waiting);
    sessions.clear();
    waiting.clear();
    orphans.forEach(link -> link.endAgent("UPLINK_LOST"));
  }

  private void later(Runnable work) {
    if (!thread.isShutdown()) {
      thread.execute(work);
    }
  }

  private final class Lane implements StreamObserver<DownlinkFrame> {
    @Override
    public void onNext(DownlinkFrame frame) {
      later(() -> managerFrame(frame));
    }

    @Override
    public void onError(Throwable failure) {
      later(HostileProxy.this::laneLost);
    }

    @Override
    public void onCompleted() {
      later(HostileProxy.this::laneLost);
    }
  }

  private final class Sessions extends SessionServiceGrpc.SessionServiceImplBase {
    @Override
    public StreamObserver<UpFrame> open(StreamObserver<DownFrame> down) {
      AgentLink link =
          new AgentLink(HostileProxy.this, PeerInterceptor.PEER.get().identity().uri(), down);
      ((ServerCallStreamObserver<DownFrame>) down)
          .setOnCancelHandler(() -> later(() -> agentGone(link)));
      later(() -> agentOpened(link));
      return new StreamObserver<>() {
        @Override
        public void onNext(UpFrame frame) {
          later(() -> agentFrame(link, frame));
        }

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {
          later(() -> {
            agentGone(link);
            down.onCompleted();
          });
        }
      };
    }
  }

  private final class Enrollment extends EnrollmentServiceGrpc.EnrollmentServiceImplBase {
    @Override
    public StreamObserver<EnrollmentRequest> enroll(StreamObserver<EnrollmentResponse> down) {
      StreamObserver<EnrollmentRequest> up =
          EnrollmentServiceGrpc.newStub(manager).enroll(new Passing<>(down));
      return new Passing<>(up) {
        @Override
        public void onNext(EnrollmentRequest step) {
          later(() -> {
            enrollments.add(step);
            up.onNext(enrollmentAttack.enroll(step));
          });
        }

        @Override
        public void onCompleted() {
          later(up::onCompleted);
        }
      };
    }
  }

  /** Passes on what it observes. */
  private static class Passing<T> implements StreamObserver<T> {
    private final StreamObserver<T> to;

    Passing(StreamObserver<T> to) {
      this.to = to;
    }

    @Override
    public void onNext(T value) {
      to.onNext(value);
    }

    @Override
    public void onError(Throwable failure) {
      to.onError(Status.fromThrowable(failure).asRuntimeException());
    }

    @Override
    public void onCompleted() {
      to.onCompleted();
    }
  }
}
