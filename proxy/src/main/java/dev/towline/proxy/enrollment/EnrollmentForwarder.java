package dev.towline.proxy.enrollment;

import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.runtime.tls.PeerInterceptor;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * Passes enrollment calls on to the manager, byte for byte, over the proxy's own connection. One
 * message of a side is asked for when the other side has room for it.
 *
 * <p>Threading: stateless but for the count of calls under way; each call's two directions are
 * serialised by gRPC.
 *
 * <p>Failure: without a way to the manager a call ends with UNAVAILABLE and may be tried again; so
 * it does above the limit.
 */
public final class EnrollmentForwarder implements ServerCallHandler<byte[], byte[]> {
  private static final Metadata.Key<String> SOURCE =
      Metadata.Key.of("towline-source", Metadata.ASCII_STRING_MARSHALLER);
  private static final int MAX_CALLS = 1_000;
  private static final int CALL_SECONDS = 60;

  private static final MethodDescriptor<byte[], byte[]> METHOD =
      EnrollmentServiceGrpc.getEnrollMethod().toBuilder(new Bytes(), new Bytes())
          .setSchemaDescriptor(null)
          .build();

  private final Supplier<? extends Optional<? extends Channel>> manager;
  private final AtomicInteger calls = new AtomicInteger();

  public EnrollmentForwarder(Supplier<? extends Optional<? extends Channel>> manager) {
    this.manager = manager;
  }

  public ServerServiceDefinition service() {
    return ServerServiceDefinition.builder(
            ServiceDescriptor.newBuilder(EnrollmentServiceGrpc.SERVICE_NAME)
                .addMethod(METHOD)
                .build())
        .addMethod(METHOD, this)
        .build();
  }

  @Override
  public ServerCall.Listener<byte[]> startCall(ServerCall<byte[], byte[]> call, Metadata headers) {
    Optional<? extends Channel> channel = manager.get();
    if (channel.isEmpty()) {
      return refuse(call, "the proxy has no way to a manager now");
    }
    if (calls.incrementAndGet() > MAX_CALLS) {
      calls.decrementAndGet();
      return refuse(call, "the proxy passes on " + MAX_CALLS + " enrollments already");
    }
    ClientCall<byte[], byte[]> upstream =
        channel
            .get()
            .newCall(METHOD, CallOptions.DEFAULT.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS));
    var pair = new Pair(call, upstream);
    // The messages and where they come from; the caller's headers are its business with the proxy.
    var passedOn = new Metadata();
    if (PeerInterceptor.REMOTE_ADDRESS.get() instanceof InetSocketAddress inet
        && inet.getAddress() != null) {
      passedOn.put(SOURCE, inet.getAddress().getHostAddress());
    }
    upstream.start(pair.down, passedOn);
    call.request(1);
    upstream.request(1);
    return pair.up;
  }

  private static ServerCall.Listener<byte[]> refuse(
      ServerCall<byte[], byte[]> call, String reason) {
    call.close(Status.UNAVAILABLE.withDescription(reason), new Metadata());
    return new ServerCall.Listener<>() {};
  }

  /** The two halves of a call that is passed on. */
  private final class Pair {
    final Up up;
    final Down down;

    Pair(ServerCall<byte[], byte[]> server, ClientCall<byte[], byte[]> client) {
      this.up = new Up(server, client);
      this.down = new Down(server, client, up);
      up.down = down;
    }
  }

  /** From the caller to the manager. */
  private static final class Up extends ServerCall.Listener<byte[]> {
    private final ServerCall<byte[], byte[]> server;
    private final ClientCall<byte[], byte[]> client;
    private Down down;
    private boolean wanted;

    @SuppressWarnings("NullAway.Init") // The pair sets the other half.
    Up(ServerCall<byte[], byte[]> server, ClientCall<byte[], byte[]> client) {
      this.server = server;
      this.client = client;
    }

    @Override
    public void onMessage(byte[] message) {
      client.sendMessage(message);
      synchronized (this) {
        if (client.isReady()) {
          server.request(1);
        } else {
          wanted = true;
        }
      }
    }

    @Override
    public void onHalfClose() {
      client.halfClose();
    }

    @Override
    public void onCancel() {
      client.cancel("the caller gave up", null);
    }

    @Override
    public void onReady() {
      down.otherIsReady();
    }

    synchronized void otherIsReady() {
      if (wanted) {
        wanted = false;
        server.request(1);
      }
    }
  }

  /** From the manager to the caller. */
  private final class Down extends ClientCall.Listener<byte[]> {
    private final ServerCall<byte[], byte[]> server;
    private final ClientCall<byte[], byte[]> client;
    private final Up up;
    private boolean headersSent;
    private boolean wanted;

    Down(ServerCall<byte[], byte[]> server, ClientCall<byte[], byte[]> client, Up up) {
      this.server = server;
      this.client = client;
      this.up = up;
    }

    @Override
    public void onMessage(byte[] message) {
      sendHeaders();
      server.sendMessage(message);
      synchronized (this) {
        if (server.isReady()) {
          client.request(1);
        } else {
          wanted = true;
        }
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      calls.decrementAndGet();
      // The manager's refusals are messages; a status says what became of the call.
      server.close(
          Status.fromCode(status.getCode()).withDescription(status.getDescription()),
          new Metadata());
    }

    @Override
    public void onReady() {
      up.otherIsReady();
    }

    synchronized void otherIsReady() {
      if (wanted) {
        wanted = false;
        client.request(1);
      }
    }

    private void sendHeaders() {
      if (!headersSent) {
        headersSent = true;
        server.sendHeaders(new Metadata());
      }
    }
  }

  /** Bytes as they came. */
  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException("message can't be read", e);
      }
    }
  }
}
