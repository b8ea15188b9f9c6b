package dev.towline.agent.direction;

import dev.towline.proto.v1.AgentListenerGrpc;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.UpFrame;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.HandshakeWatch;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.Server;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * Listens for managers of the own fleet (D1, D2): TLS of the profile that the policy names at the
 * moment, a certificate is required in the handshake, and its role decides.
 *
 * <p>Lifecycle: open from {@link #open} to {@link #close}. Threading: calls come on the network's
 * event loop and are handed on at once.
 */
public final class ManagerDoor implements Door {
  private final Server server;

  private ManagerDoor(Server server) {
    this.server = server;
  }

  /** Where managers that came in are brought to. */
  @FunctionalInterface
  public interface Hall {
    StreamObserver<DownFrame> attached(
        PeerInterceptor.Peer manager,
        ServerAddress from,
        ServerCallStreamObserver<UpFrame> answers);
  }

  /**
   * @param denials hears of members of the fleet that may not come in
   * @param handshakes hears of peers that have no TLS in common with the profile
   */
  public static ManagerDoor open(
      int port,
      FleetChannels channels,
      FleetMember member,
      Hall hall,
      PeerInterceptor.DenialListener denials,
      HandshakeWatch.Listener handshakes)
      throws IOException {
    return new ManagerDoor(
        channels
            .server(
                new InetSocketAddress(port),
                new HandshakeWatch(new PresentTls(member)::served, handshakes, System::nanoTime))
            .intercept(new PeerInterceptor(member.dialledVerifier(), denials))
            .addService(new Service(hall))
            .build()
            .start());
  }

  @Override
  public int port() {
    return server.getPort();
  }

  @Override
  public void close() {
    server.shutdown();
  }

  /** The context of the present profile, kept until there is another one. */
  private static final class PresentTls {
    private final FleetMember member;
    private HandshakeWatch.@Nullable Served last;

    PresentTls(FleetMember member) {
      this.member = member;
    }

    synchronized HandshakeWatch.Served served() {
      TlsProfile wanted = member.profile();
      HandshakeWatch.Served present = last;
      if (present == null || present.profile() != wanted) {
        present = new HandshakeWatch.Served(wanted, member.dialledTls());
        last = present;
      }
      return present;
    }
  }

  private static final class Service extends AgentListenerGrpc.AgentListenerImplBase {
    private final Hall hall;

    Service(Hall hall) {
      this.hall = hall;
    }

    @Override
    public StreamObserver<DownFrame> attach(StreamObserver<UpFrame> answers) {
      return hall.attached(
          PeerInterceptor.PEER.get(),
          from(PeerInterceptor.REMOTE_ADDRESS.get()),
          (ServerCallStreamObserver<UpFrame>) answers);
    }

    private static ServerAddress from(SocketAddress remote) {
      return remote instanceof InetSocketAddress inet
          ? new ServerAddress(inet.getAddress().getHostAddress(), inet.getPort())
          : new ServerAddress(String.valueOf(remote), 1);
    }
  }
}
