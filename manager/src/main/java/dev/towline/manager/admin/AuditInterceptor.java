package dev.towline.manager.admin;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.towline.manager.access.Principal;
import dev.towline.manager.events.EventRecord;
import dev.towline.manager.events.Events;
import dev.towline.manager.store.Store;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.PublishReleaseRequest;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.proto.v1.SignInRequest;
import dev.towline.runtime.policy.UpdatePolicy;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records every call that changes something as an event {@code audit.<method>}: who, what, and
 * whether it was done. Secrets are left out.
 */
final class AuditInterceptor implements ServerInterceptor {
  private static final Logger log = LoggerFactory.getLogger(AuditInterceptor.class);

  private final Store store;
  private final Events events;

  AuditInterceptor(Store store, Events events) {
    this.store = store;
    this.events = events;
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    String method = call.getMethodDescriptor().getFullMethodName();
    if (!AccessRules.isWrite(method)) {
      return next.startCall(call, headers);
    }
    var audited =
        new SimpleForwardingServerCall<Q, R>(call) {
          private volatile @Nullable Q request;

          @Override
          public void close(Status status, Metadata trailers) {
            // Who failed to sign in may be anybody; that is recorded where it is decided.
            if (status.isOk() || !(request instanceof SignInRequest)) {
              record(method, request, status);
            }
            super.close(status, trailers);
          }
        };
    return new SimpleForwardingServerCallListener<>(next.startCall(audited, headers)) {
      @Override
      public void onMessage(Q message) {
        audited.request = message;
        super.onMessage(message);
      }
    };
  }

  private void record(String method, @Nullable Object request, Status status) {
    Principal principal = AccessInterceptor.PRINCIPAL.get();
    String name = method.substring(method.lastIndexOf('/') + 1);
    String user =
        principal != null
            ? principal.user()
            : request instanceof SignInRequest signIn ? signIn.getUser() : "nobody";
    String outcome = status.isOk() ? "done" : "refused: " + status.getDescription();
    EventRecord event =
        events.of("audit." + snake(name), user, outcome + " " + summary(request), user);
    log.info("{} by {}: {}", event.code(), user, outcome);
    var _ =
        store
            .write(tx -> {
              tx.events().add(event, "");
              return event;
            })
            .exceptionally(e -> {
              log.error("audit event {} by {} was not recorded", event.code(), user, e);
              return event;
            });
  }

  /** The request as JSON, without passwords and what a program is given to read. */
  private static String summary(@Nullable Object request) {
    Message shown =
        switch (request) {
          case RunActionRequest run ->
              run.toBuilder()
                  .setRun(run.getRun().toBuilder().clearStandardInput().clearEnvironment())
                  .build();
          case PublishReleaseRequest published -> published.toBuilder().clearFiles().build();
          case ChangeSettingsRequest change -> withoutSecrets(change);
          case Message message
              when message.getDescriptorForType().getFields().stream()
                  .noneMatch(field -> field.getName().contains("password")) ->
              message;
          case null, default -> null;
        };
    if (shown == null) {
      return "";
    }
    try {
      return JsonFormat.printer().omittingInsignificantWhitespace().print(shown);
    } catch (InvalidProtocolBufferException e) {
      return "";
    }
  }

  private static ChangeSettingsRequest withoutSecrets(ChangeSettingsRequest change) {
    var shown = change.toBuilder();
    change.getSetMap().keySet().stream()
        .filter(UpdatePolicy::isSecret)
        .forEach(name -> shown.putSet(name, UpdatePolicy.HIDDEN));
    return shown.build();
  }

  /** {@code RunAction} as {@code run_action}. */
  private static String snake(String name) {
    return name.replaceAll("(?<!^)([A-Z])", "_$1").toLowerCase(java.util.Locale.ROOT);
  }
}
