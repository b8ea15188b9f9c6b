package dev.towline.manager.admin;

import dev.towline.manager.ids.Ids;
import dev.towline.runtime.error.TowlineException;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.security.SecureRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns what a service throws into a status. What was not foreseen leaves under a number that the
 * log has too, and says nothing of its cause.
 */
final class ErrorInterceptor implements ServerInterceptor {
  private static final Logger log = LoggerFactory.getLogger(ErrorInterceptor.class);

  private final SecureRandom random;

  ErrorInterceptor(SecureRandom random) {
    this.random = random;
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    ServerCall.Listener<Q> listener;
    try {
      listener = next.startCall(call, headers);
    } catch (RuntimeException e) {
      close(call, e);
      return new ServerCall.Listener<>() {};
    }
    return new SimpleForwardingServerCallListener<>(listener) {
      private boolean closed;

      @Override
      public void onMessage(Q message) {
        guarded(() -> super.onMessage(message));
      }

      @Override
      public void onHalfClose() {
        guarded(super::onHalfClose);
      }

      @Override
      public void onReady() {
        guarded(super::onReady);
      }

      private void guarded(Runnable work) {
        if (closed) {
          return;
        }
        try {
          work.run();
        } catch (RuntimeException e) {
          closed = true;
          close(call, e);
        }
      }
    };
  }

  private <Q, R> void close(ServerCall<Q, R> call, RuntimeException e) {
    StatusRuntimeException status =
        switch (e) {
          case TowlineException known -> ErrorStatuses.of(known);
          case StatusRuntimeException known -> known;
          default -> unforeseen(call.getMethodDescriptor().getFullMethodName(), e);
        };
    Metadata trailers = status.getTrailers();
    call.close(
        Status.fromCode(status.getStatus().getCode())
            .withDescription(status.getStatus().getDescription()),
        trailers == null ? new Metadata() : trailers);
  }

  private StatusRuntimeException unforeseen(String method, RuntimeException e) {
    String number = Ids.newShort(random);
    log.error("{} failed unexpectedly ({})", method, number, e);
    return ErrorStatuses.of(
        new TowlineException(
            ErrorStatuses.INTERNAL_ERROR,
            "the manager failed to do this (" + number + ")",
            "look for " + number + " in the manager's log and report it"));
  }
}
