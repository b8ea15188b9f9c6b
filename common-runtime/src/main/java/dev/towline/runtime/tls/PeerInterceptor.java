package dev.towline.runtime.tls;

import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.net.SocketAddress;
import java.security.cert.Certificate;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * Checks the caller of every method again in the application and lets it pass only where {@link
 * RpcAccess} allows its role (T3). While it starts, {@link #PEER} names the caller.
 *
 * <p>Threading: stateless. Failure: a refused call ends with UNAUTHENTICATED or PERMISSION_DENIED
 * and a reason, and the {@link DenialListener} hears of it.
 */
public final class PeerInterceptor implements ServerInterceptor {
  /**
   * Who calls, while the call starts; absent where the method is open to anyone and the caller has
   * no certificate.
   */
  public static final Context.Key<Peer> PEER = Context.key("towline-peer");

  /** Where the call comes from, as the socket has it. */
  public static final Context.Key<SocketAddress> REMOTE_ADDRESS =
      Context.key("towline-remote-address");

  private final PeerVerifier verifier;
  private final Predicate<NodeIdentity> accepted;
  private final DenialListener denials;

  public PeerInterceptor(PeerVerifier verifier, DenialListener denials) {
    this(verifier, identity -> true, denials);
  }

  /**
   * @param accepted narrows the peers further, for instance to the parents of a child relay
   */
  public PeerInterceptor(
      PeerVerifier verifier, Predicate<NodeIdentity> accepted, DenialListener denials) {
    this.verifier = verifier;
    this.accepted = accepted;
    this.denials = denials;
  }

  @Override
  public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
      ServerCall<ReqT, RespT> call, Metadata headers, ServerCallHandler<ReqT, RespT> next) {
    String method = call.getMethodDescriptor().getFullMethodName();
    SocketAddress remote = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
    Context context = Context.current();
    if (remote != null) {
      context = context.withValue(REMOTE_ADDRESS, remote);
    }
    SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    Optional<List<X509Certificate>> chain = peerChain(session);
    if (chain.isEmpty()) {
      if (RpcAccess.isOpenToAnyone(method)) {
        return Contexts.interceptCall(context, call, headers, next);
      }
      return refuse(
          call,
          method,
          null,
          Status.UNAUTHENTICATED.withDescription("a client certificate of the fleet is required"));
    }
    PeerCheck check = verifier.check(chain.get(), accepted);
    if (check instanceof PeerCheck.Refused(String code, String detail)) {
      return refuse(
          call,
          method,
          PeerVerifier.identityOf(chain.get().getFirst()).orElse(null),
          Status.UNAUTHENTICATED.withDescription(code + ": " + detail));
    }
    PeerCheck.Trusted trusted = (PeerCheck.Trusted) check;
    Set<Role> callers = RpcAccess.callersOf(method);
    if (!callers.contains(trusted.identity().role())) {
      return refuse(
          call,
          method,
          trusted.identity(),
          Status.PERMISSION_DENIED.withDescription(
              "role " + trusted.identity().role().label() + " may not call " + method));
    }
    Peer peer =
        new Peer(
            trusted.identity(),
            trusted.leaf(),
            chain.get(),
            session == null ? "" : session.getProtocol(),
            session == null ? "" : session.getCipherSuite());
    return startedBy(peer, context, call, headers, next);
  }

  /** Known while the call starts only: certificates are large, and there are many calls. */
  private static <ReqT, RespT> ServerCall.Listener<ReqT> startedBy(
      Peer peer,
      Context context,
      ServerCall<ReqT, RespT> call,
      Metadata headers,
      ServerCallHandler<ReqT, RespT> next) {
    return Contexts.interceptCall(
        context,
        call,
        headers,
        (started, sent) -> {
          Context known = Context.current().withValue(PEER, peer);
          Context before = known.attach();
          try {
            return next.startCall(started, sent);
          } finally {
            known.detach(before);
          }
        });
  }

  private <ReqT, RespT> ServerCall.Listener<ReqT> refuse(
      ServerCall<ReqT, RespT> call, String method, @Nullable NodeIdentity peer, Status status) {
    denials.denied(method, Optional.ofNullable(peer), String.valueOf(status.getDescription()));
    call.close(status, new Metadata());
    return new ServerCall.Listener<>() {};
  }

  /**
   * What the other end presented in its handshake, leaf first. Decoded anew: what a session decodes
   * of its own stays as long as the connection.
   */
  public static Optional<List<X509Certificate>> peerChain(@Nullable SSLSession session) {
    if (session == null) {
      return Optional.empty();
    }
    try {
      List<X509Certificate> chain = new ArrayList<>();
      for (Certificate certificate : session.getPeerCertificates()) {
        chain.add(Certificates.parse(certificate.getEncoded()));
      }
      return chain.isEmpty() ? Optional.empty() : Optional.of(chain);
    } catch (SSLPeerUnverifiedException | CertificateEncodingException e) {
      return Optional.empty();
    }
  }

  /**
   * A caller whose certificate held.
   *
   * @param tlsProtocol what was negotiated, for instance {@code TLSv1.3}
   */
  public record Peer(
      NodeIdentity identity,
      X509Certificate leaf,
      List<X509Certificate> chain,
      String tlsProtocol,
      String tlsCipherSuite) {}

  /** Hears of refused calls; called on a transport thread, must not block. */
  @FunctionalInterface
  public interface DenialListener {
    void denied(String method, Optional<NodeIdentity> peer, String reason);
  }
}
