package dev.towline.manager.grpc;

import dev.towline.manager.dialling.Line;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.session.NodeSession;
import dev.towline.manager.session.SessionLink;
import dev.towline.manager.session.SessionPeer;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.AgentListenerGrpc;
import dev.towline.proto.v1.Attach;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.UpFrame;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * Dials hosts: the stream runs from here, the frames as if the host had dialled. Whoever answers
 * has to be the very agent that was meant, by its certificate; nothing is said before that is
 * known.
 *
 * <p>Threading: safe for use by several threads. Failure: a connection that fails ends its session
 * as one that was dialled by the host.
 */
public final class AgentCalls implements Line {
  private static final int PREFETCH = 1;

  private final TlsProfile profile;
  private final Fleet fleet;
  private final PeerVerifier verifier;
  private final FleetChannels channels;
  private final Sessions sessions;
  private @Nullable Tls tls;

  private record Tls(IssuedIdentity identity, SslContext context) {}

  public AgentCalls(
      TlsProfile profile,
      Fleet fleet,
      PeerVerifier verifier,
      FleetChannels channels,
      Sessions sessions) {
    this.profile = profile;
    this.fleet = fleet;
    this.verifier = verifier;
    this.channels = channels;
    this.sessions = sessions;
  }

  @Override
  public CompletableFuture<Optional<String>> dial(String host, ServerAddress address) {
    var outcome = new CompletableFuture<Optional<String>>();
    ManagedChannel channel = channels.open(address, context());
    ClientCall<DownFrame, UpFrame> call =
        channel.newCall(AgentListenerGrpc.getAttachMethod(), CallOptions.DEFAULT);
    var link = new Link(channel, call);
    call.start(new Ear(host, address, link, outcome), new Metadata());
    call.request(PREFETCH);
    var _ =
        outcome.whenComplete((problem, failure) -> {
          if (failure != null || problem.isPresent()) {
            link.abort();
          }
        });
    return outcome;
  }

  /** Contexts are native memory: one for each certificate of this manager. */
  private synchronized SslContext context() {
    IssuedIdentity identity = fleet.manager();
    Tls known = tls;
    if (known == null || !known.identity().equals(identity)) {
      known =
          new Tls(
              identity,
              FleetTls.client(
                  profile,
                  () -> Optional.of(identity),
                  verifier,
                  peer -> peer.role() == Role.AGENT));
      tls = known;
    }
    return known.context();
  }

  /** Hears what comes from the host; called on the network's thread. */
  private final class Ear extends ClientCall.Listener<UpFrame> {
    private final String host;
    private final ServerAddress address;
    private final Link link;
    private final CompletableFuture<Optional<String>> outcome;
    private @Nullable NodeSession session;

    Ear(
        String host,
        ServerAddress address,
        Link link,
        CompletableFuture<Optional<String>> outcome) {
      this.host = host;
      this.address = address;
      this.link = link;
      this.outcome = outcome;
    }

    @Override
    public void onReady() {
      if (session != null || outcome.isDone()) {
        return;
      }
      @Nullable SSLSession tlsSession =
          link.call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
      List<X509Certificate> chain = PeerInterceptor.peerChain(tlsSession).orElse(List.of());
      PeerCheck check =
          chain.isEmpty()
              ? new PeerCheck.Refused("PEER_UNKNOWN", "the transport has no TLS peer")
              : verifier.check(chain);
      switch (check) {
        case PeerCheck.Refused(String code, String detail) ->
            outcome.complete(Optional.of(code + ": " + detail));
        case PeerCheck.Trusted(var peer, _) -> {
          if (peer.role() != Role.AGENT || !peer.id().equals(host)) {
            outcome.complete(Optional.of("another one is there: " + peer));
          } else {
            session =
                sessions.open(
                    new SessionPeer(
                        peer,
                        chain,
                        address.host() + ":" + address.port(),
                        "",
                        "",
                        tlsSession == null ? "" : tlsSession.getProtocol(),
                        tlsSession == null ? "" : tlsSession.getCipherSuite(),
                        true),
                    link);
            link.begin(host);
          }
        }
      }
    }

    @Override
    public void onMessage(UpFrame frame) {
      NodeSession opened = session;
      if (opened == null || !frame.hasOpen()) {
        outcome.complete(Optional.of("frame " + frame.getPayloadCase() + " (expected: open)"));
        link.abort();
      } else {
        opened.receive(frame.getOpen());
        outcome.complete(Optional.empty());
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      String detail = detail(status);
      if (session != null) {
        session.disconnected(detail);
      }
      outcome.complete(Optional.of(detail));
      link.ended();
    }
  }

  /** What the system or the host said, without the layers above it. */
  private static String detail(Status status) {
    Throwable innermost = status.getCause();
    while (innermost != null && innermost.getCause() != null) {
      innermost = innermost.getCause();
    }
    String said =
        innermost == null ? String.valueOf(status.getDescription()) : innermost.getMessage();
    return status.isOk() ? "the host ended the connection" : status.getCode() + ": " + said;
  }

  /** The way to the host. */
  private static final class Link implements SessionLink {
    private final ManagedChannel channel;
    private final ClientCall<DownFrame, UpFrame> call;
    private boolean closed;

    Link(ManagedChannel channel, ClientCall<DownFrame, UpFrame> call) {
      this.channel = channel;
      this.call = call;
    }

    synchronized void begin(String host) {
      if (!closed) {
        call.sendMessage(
            DownFrame.newBuilder().setAttach(Attach.newBuilder().setAgent(host)).build());
      }
    }

    @Override
    public synchronized void send(ManagerFrame frame) {
      if (!closed) {
        call.sendMessage(DownFrame.newBuilder().setOpen(frame).build());
      }
    }

    @Override
    public void proceed() {
      call.request(1);
    }

    /** It is the one of all hosts that are dialled. */
    @Override
    public boolean lendsThread() {
      return false;
    }

    /** The host ends its side when it has read what was sent before. */
    @Override
    public synchronized void close() {
      if (!closed) {
        closed = true;
        call.halfClose();
        channel.shutdown();
      }
    }

    synchronized void abort() {
      closed = true;
      channel.shutdownNow();
    }

    synchronized void ended() {
      closed = true;
      channel.shutdown();
    }
  }
}
