package dev.towline.manager.grpc;

import dev.towline.manager.session.NodeSession;
import dev.towline.manager.session.SessionLink;
import dev.towline.manager.session.SessionPeer;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.UpFrame;
import dev.towline.runtime.tls.PeerInterceptor;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;

/**
 * Sessions whose peer's TLS ends here: dialled directly or through relays. Identity is that of the
 * transport.
 */
public final class DirectSessionService extends SessionServiceGrpc.SessionServiceImplBase {
  private final Sessions sessions;

  public DirectSessionService(Sessions sessions) {
    this.sessions = sessions;
  }

  @Override
  public StreamObserver<UpFrame> open(StreamObserver<DownFrame> responses) {
    ServerCallStreamObserver<DownFrame> call = (ServerCallStreamObserver<DownFrame>) responses;
    PeerInterceptor.Peer caller = PeerInterceptor.PEER.get();
    Link link = new Link(call);
    NodeSession session =
        sessions.open(
            new SessionPeer(
                caller.identity(),
                caller.chain(),
                Addresses.remote(),
                "",
                "",
                caller.tlsProtocol(),
                caller.tlsCipherSuite()),
            link);
    call.disableAutoRequest();
    call.setOnCancelHandler(() -> session.disconnected("cancelled"));
    call.request(1);
    return new StreamObserver<>() {
      @Override
      public void onNext(UpFrame frame) {
        if (frame.hasOpen()) {
          session.receive(frame.getOpen());
        } else {
          link.fail(
              Status.INVALID_ARGUMENT.withDescription(
                  "frame " + frame.getPayloadCase() + " (expected: open, on a direct session)"));
          session.disconnected("frame " + frame.getPayloadCase() + " on a direct session");
        }
      }

      @Override
      public void onError(Throwable failure) {
        session.disconnected(String.valueOf(failure.getMessage()));
      }

      @Override
      public void onCompleted() {
        session.disconnected("half-closed");
      }
    };
  }

  /** Guards the call: the session's thread and a failing transport may meet here. */
  private static final class Link implements SessionLink {
    private final ServerCallStreamObserver<DownFrame> call;
    private boolean closed;

    Link(ServerCallStreamObserver<DownFrame> call) {
      this.call = call;
    }

    @Override
    public synchronized void send(ManagerFrame frame) {
      if (!closed && !call.isCancelled()) {
        call.onNext(DownFrame.newBuilder().setOpen(frame).build());
      }
    }

    @Override
    public void proceed() {
      call.request(1);
    }

    @Override
    public synchronized void close() {
      if (!closed) {
        closed = true;
        if (!call.isCancelled()) {
          call.onCompleted();
        }
      }
    }

    synchronized void fail(Status status) {
      if (!closed) {
        closed = true;
        call.onError(status.asRuntimeException());
      }
    }
  }
}
