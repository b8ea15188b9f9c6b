package dev.towline.manager.admin;

import dev.towline.manager.access.Access;
import dev.towline.manager.access.Principal;
import dev.towline.proto.v1.AuthServiceGrpc;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.util.Optional;

/** Lets nobody in without a valid token, but to sign in. */
final class AccessInterceptor implements ServerInterceptor {
  static final Context.Key<Principal> PRINCIPAL = Context.key("towline principal");
  static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private static final String BEARER = "Bearer ";
  private static final String SIGN_IN = AuthServiceGrpc.getSignInMethod().getFullMethodName();

  private final Access access;

  AccessInterceptor(Access access) {
    this.access = access;
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    String method = call.getMethodDescriptor().getFullMethodName();
    if (method.equals(SIGN_IN)) {
      return next.startCall(call, headers);
    }
    Principal principal =
        token(headers)
            .flatMap(access::authenticate)
            .orElseThrow(() ->
                new TowlineException(
                    Access.TOKEN_INVALID,
                    token(headers).isPresent()
                        ? "the token is not valid, or no longer"
                        : "no token was sent",
                    "sign in: towline login URL"));
    if (!AccessRules.mayCall(principal.role(), method)) {
      throw new TowlineException(
          ErrorCode.user("PERMISSION_DENIED"),
          "user " + principal.user() + " may not call " + method,
          "ask an administrator");
    }
    return Contexts.interceptCall(
        Context.current().withValue(PRINCIPAL, principal), call, headers, next);
  }

  /** Who makes the present call. */
  static Principal principal() {
    Principal principal = PRINCIPAL.get();
    if (principal == null) {
      throw new IllegalStateException("this call passed without authentication");
    }
    return principal;
  }

  private static Optional<String> token(Metadata headers) {
    String value = headers.get(AUTHORIZATION);
    return value != null && value.startsWith(BEARER)
        ? Optional.of(value.substring(BEARER.length()))
        : Optional.empty();
  }
}
