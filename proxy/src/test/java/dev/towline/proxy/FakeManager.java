package dev.towline.proxy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.CloseSession;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.EnrollmentRequest;
import dev.towline.proto.v1.EnrollmentResponse;
import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.proto.v1.KeptAck;
import dev.towline.proto.v1.OpenSession;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkServiceGrpc;
import dev.towline.proto.v1.UplinkWelcome;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.testing.FreePorts;
import io.grpc.Server;
import io.grpc.ServerInterceptors;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;

/** A manager's uplink and enrollment, scripted, over real TLS on loopback. */
final class FakeManager implements AutoCloseable {
  final Map<Long, Session> sessions = new ConcurrentHashMap<>();
  final List<Long> closed = new CopyOnWriteArrayList<>();
  final List<UplinkHello> hellos = new CopyOnWriteArrayList<>();
  final BlockingQueue<UplinkFrame> bulk = new LinkedBlockingQueue<>();
  final List<EnrollmentRequest> enrollments = new CopyOnWriteArrayList<>();
  final List<String> denials = new CopyOnWriteArrayList<>();
  volatile int sessionsPerSecond = 10_000;
  volatile int initialCredit = 8 << 10;

  /** What to do with sealed bytes; by default they are echoed and credit is given back. */
  volatile BiConsumer<Session, ByteString> onSealed =
      (session, bytes) -> {
        session.grant(bytes.size());
        session.send(bytes);
      };

  private final TestFleet fleet;
  private final IssuedIdentity identity;
  private final int port;
  private Server server;

  FakeManager(TestFleet fleet) {
    this.fleet = fleet;
    this.identity = fleet.issue(Role.MANAGER, "m1");
    this.port = FreePorts.next();
    this.server = serve(port);
  }

  /** A session that the proxy announced. */
  final class Session {
    final long number;
    final OpenSession open;
    final StreamObserver<DownlinkFrame> lane;
    volatile long creditFromAgent;

    Session(long number, OpenSession open, StreamObserver<DownlinkFrame> lane) {
      this.number = number;
      this.open = open;
      this.lane = lane;
    }

    void send(ByteString bytes) {
      emit(frame().setSealed(bytes));
    }

    void grant(int bytes) {
      emit(frame().setCredit(bytes));
    }

    void close(String code) {
      emit(frame().setClose(CloseSession.newBuilder().setCode(code)));
    }

    private DownlinkFrame.Builder frame() {
      return DownlinkFrame.newBuilder().setSession(number);
    }

    private void emit(DownlinkFrame.Builder frame) {
      synchronized (lane) {
        lane.onNext(frame.build());
      }
    }
  }

  int port() {
    return port;
  }

  /** As after a crash: connections are cut. */
  void stop() {
    server.shutdownNow();
    try {
      // What still comes would be taken for a session after the restart.
      server.awaitTermination(60, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    sessions.clear();
  }

  void restart() {
    server = serve(port);
  }

  Optional<Session> sessionOf(String agentUri) {
    return sessions.values().stream()
        .filter(session -> session.open.getClaimedIdentity().equals(agentUri))
        .findFirst();
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private Server serve(int port) {
    var access =
        new PeerInterceptor(
            fleet.verifier(), (method, peer, reason) -> denials.add(method + ": " + reason));
    try {
      return NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port))
          .sslContext(
              FleetTls.server(() -> Optional.of(identity), fleet.verifier(), ClientAuth.OPTIONAL))
          .addService(ServerInterceptors.intercept(new Uplink(), access))
          .addService(ServerInterceptors.intercept(new Enrollment(), access))
          .build()
          .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private final class Uplink extends UplinkServiceGrpc.UplinkServiceImplBase {
    @Override
    public StreamObserver<UplinkFrame> open(StreamObserver<DownlinkFrame> down) {
      return new StreamObserver<>() {
        @Override
        public void onNext(UplinkFrame frame) {
          switch (frame.getFrameCase()) {
            case HELLO -> {
              hellos.add(frame.getHello());
              synchronized (down) {
                down.onNext(
                    DownlinkFrame.newBuilder()
                        .setWelcome(
                            UplinkWelcome.newBuilder()
                                .setManagerId("m1")
                                .setInitialCredit(initialCredit)
                                .setSessionsPerSecond(sessionsPerSecond))
                        .build());
              }
            }
            case OPEN ->
                sessions.put(
                    frame.getSession(), new Session(frame.getSession(), frame.getOpen(), down));
            case SEALED -> {
              Session session = sessions.get(frame.getSession());
              if (session != null) {
                onSealed.accept(session, frame.getSealed());
              }
            }
            case CREDIT -> {
              Session session = sessions.get(frame.getSession());
              if (session != null) {
                session.creditFromAgent += frame.getCredit();
              }
            }
            case CLOSE -> {
              sessions.remove(frame.getSession());
              closed.add(frame.getSession());
            }
            case KEPT -> {
              bulk.add(frame);
              synchronized (down) {
                down.onNext(
                    DownlinkFrame.newBuilder()
                        .setKeptAck(KeptAck.newBuilder().setSequence(frame.getKept().getSequence()))
                        .build());
              }
            }
            case REPORT -> {}
            case FRAME_NOT_SET -> throw new AssertionError("empty frame");
          }
        }

        @Override
        public void onError(Throwable t) {}

        @Override
        public void onCompleted() {
          down.onCompleted();
        }
      };
    }
  }

  private final class Enrollment extends EnrollmentServiceGrpc.EnrollmentServiceImplBase {
    @Override
    public StreamObserver<EnrollmentRequest> enroll(StreamObserver<EnrollmentResponse> down) {
      return new StreamObserver<>() {
        @Override
        public void onNext(EnrollmentRequest request) {
          enrollments.add(request);
          switch (request.getStepCase()) {
            case BEGIN, RECOVER -> {
              var response = EnrollmentResponse.newBuilder();
              response.getChallengeBuilder().setNonce(ByteString.copyFromUtf8("nonce"));
              down.onNext(response.build());
            }
            case PROOF, STEP_NOT_SET -> {
              var response = EnrollmentResponse.newBuilder();
              response.getRefusedBuilder().setCode("TOKEN_EXPIRED").setRemedy("create another");
              down.onNext(response.build());
              down.onCompleted();
            }
          }
        }

        @Override
        public void onError(Throwable t) {}

        @Override
        public void onCompleted() {
          down.onCompleted();
        }
      };
    }
  }
}
