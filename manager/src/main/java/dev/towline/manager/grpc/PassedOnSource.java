package dev.towline.manager.grpc;

import dev.towline.manager.session.SessionRegistry;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.PeerInterceptor;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.time.Duration;
import java.util.Optional;

/**
 * Where an enrollment comes from: a proxy says whom it passes on, relays report their tunnels. Only
 * a caller with a proxy's certificate is believed. Install commands that hold for some networks
 * only are judged by it.
 */
final class PassedOnSource implements ServerInterceptor {
  private static final Metadata.Key<String> SOURCE =
      Metadata.Key.of("towline-source", Metadata.ASCII_STRING_MARSHALLER);
  private static final Duration REPORT_LIMIT = Duration.ofSeconds(3);
  private static final Context.Key<String> PASSED_ON = Context.key("towline-passed-on-source");

  @Override
  public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
      ServerCall<ReqT, RespT> call, Metadata headers, ServerCallHandler<ReqT, RespT> next) {
    String source = headers.get(SOURCE);
    return source == null
        ? next.startCall(call, headers)
        : Contexts.interceptCall(
            Context.current().withValue(PASSED_ON, source), call, headers, next);
  }

  /** What a proxy says of the current call, if one does. */
  static Optional<String> ofProxy() {
    PeerInterceptor.Peer peer = PeerInterceptor.PEER.get();
    return peer != null && peer.identity().role() == Role.PROXY
        ? Optional.ofNullable(PASSED_ON.get())
        : Optional.empty();
  }

  /**
   * An address without port.
   *
   * @param remote host:port of the connection as it is seen here
   */
  static String of(Optional<String> ofProxy, String remote, SessionRegistry registry) {
    return ofProxy.orElseGet(() -> Addresses.host(registry.sourceOf(remote)));
  }

  /** The same where it decides: the report of a relay on the way is waited for. Blocks. */
  static String settled(Optional<String> ofProxy, String remote, SessionRegistry registry) {
    if (ofProxy.isPresent()) {
      return ofProxy.get();
    }
    try {
      return Addresses.host(registry.sourceOf(remote, REPORT_LIMIT));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return of(ofProxy, remote, registry);
    }
  }
}
