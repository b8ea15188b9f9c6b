package dev.towline.manager.rest;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * gRPC over Jetty's HTTP/2: moves the messages of calls with one request, unread, between the wire
 * and the admin API's channel, so that the command line needs no port of its own. Anything else
 * goes on to the handler behind.
 *
 * <p>Threading: each call has a virtual thread; it asks for the next message when the last one is
 * written, so a slow reader slows the sender.
 *
 * <p>Failure: a caller that goes away cancels its call.
 */
final class GrpcBridge extends Handler.Wrapper {
  private static final Logger log = LoggerFactory.getLogger(GrpcBridge.class);

  private static final String CONTENT_TYPE = "application/grpc";
  private static final int FRAME_HEADER = 5;
  private static final int LARGEST_REQUEST = 8 << 20;
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final MethodDescriptor.Marshaller<byte[]> BYTES = new BytesMarshaller();

  private final Channel channel;
  private final Map<String, MethodDescriptor<byte[], byte[]>> methods = new HashMap<>();

  GrpcBridge(Channel channel, List<ServerServiceDefinition> services) {
    this.channel = channel;
    for (ServerServiceDefinition service : services) {
      for (ServerMethodDefinition<?, ?> method : service.getMethods()) {
        MethodDescriptor<?, ?> descriptor = method.getMethodDescriptor();
        if (descriptor.getType().clientSendsOneMessage()) {
          methods.put(
              "/" + descriptor.getFullMethodName(),
              MethodDescriptor.newBuilder(BYTES, BYTES)
                  .setType(descriptor.getType())
                  .setFullMethodName(descriptor.getFullMethodName())
                  .build());
        }
      }
    }
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    String type = request.getHeaders().get(HttpHeader.CONTENT_TYPE);
    if (type == null || !type.startsWith(CONTENT_TYPE)) {
      return super.handle(request, response, callback);
    }
    // A watch is silent while nothing happens.
    request.addIdleTimeoutListener(_ -> false);
    Thread.ofVirtual().name("grpc-bridge").start(() -> serve(request, response, callback));
    return true;
  }

  private void serve(Request request, Response response, Callback callback) {
    var end = HttpFields.build();
    response.setStatus(200);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, CONTENT_TYPE + "+proto");
    response.setTrailersSupplier(() -> end);
    try {
      Ended ended = call(request, response);
      addTrailers(end, ended);
      response.write(true, BufferUtil.EMPTY_BUFFER, callback);
    } catch (IOException | RuntimeException e) {
      log.debug("a gRPC call of {} broke", Request.getRemoteAddr(request), e);
      callback.failed(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      callback.failed(e);
    }
  }

  private Ended call(Request request, Response response) throws IOException, InterruptedException {
    MethodDescriptor<byte[], byte[]> method = methods.get(request.getHttpURI().getCanonicalPath());
    if (method == null) {
      return Ended.of(
          Status.UNIMPLEMENTED.withDescription("no method " + request.getHttpURI().getPath()));
    }
    byte @Nullable [] message = readMessage(request);
    if (message == null) {
      return Ended.of(
          Status.INVALID_ARGUMENT.withDescription(
              "the request is not one uncompressed message of at most 8 MiB"));
    }
    var events = new LinkedBlockingQueue<Object>();
    ClientCall<byte[], byte[]> call = channel.newCall(method, options(request));
    request.addFailureListener(e -> call.cancel("the caller is gone", e));
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onMessage(byte[] answer) {
            events.add(answer);
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            events.add(new Ended(status, trailers));
          }
        },
        headers(request));
    call.sendMessage(message);
    call.halfClose();
    call.request(1);
    while (true) {
      switch (events.take()) {
        case byte[] answer -> {
          try {
            Content.Sink.write(response, false, framed(answer));
          } catch (IOException e) {
            call.cancel("the caller is gone", e);
            throw e;
          }
          call.request(1);
        }
        case Ended ended -> {
          return ended;
        }
        case Object other -> throw new IllegalStateException("event " + other);
      }
    }
  }

  private record Ended(Status status, Metadata trailers) {
    static Ended of(Status status) {
      return new Ended(status, new Metadata());
    }
  }

  private static CallOptions options(Request request) {
    String timeout = request.getHeaders().get("grpc-timeout");
    if (timeout == null || !timeout.matches("\\d{1,8}[HMSmun]")) {
      return CallOptions.DEFAULT;
    }
    long number = Long.parseLong(timeout.substring(0, timeout.length() - 1));
    TimeUnit unit =
        switch (timeout.charAt(timeout.length() - 1)) {
          case 'H' -> TimeUnit.HOURS;
          case 'M' -> TimeUnit.MINUTES;
          case 'S' -> TimeUnit.SECONDS;
          case 'm' -> TimeUnit.MILLISECONDS;
          case 'u' -> TimeUnit.MICROSECONDS;
          default -> TimeUnit.NANOSECONDS;
        };
    return CallOptions.DEFAULT.withDeadlineAfter(number, unit);
  }

  private static Metadata headers(Request request) {
    var headers = new Metadata();
    String authorization = request.getHeaders().get(HttpHeader.AUTHORIZATION);
    if (authorization != null) {
      headers.put(AUTHORIZATION, authorization);
    }
    return headers;
  }

  private static byte @Nullable [] readMessage(Request request) throws IOException {
    try (InputStream in = Request.asInputStream(request)) {
      byte[] frame = in.readNBytes(FRAME_HEADER + LARGEST_REQUEST + 1);
      if (frame.length < FRAME_HEADER || frame[0] != 0) {
        return null;
      }
      int length = ByteBuffer.wrap(frame, 1, 4).getInt();
      if (length != frame.length - FRAME_HEADER || length > LARGEST_REQUEST) {
        return null;
      }
      return java.util.Arrays.copyOfRange(frame, FRAME_HEADER, frame.length);
    }
  }

  private static ByteBuffer framed(byte[] message) {
    ByteBuffer frame = ByteBuffer.allocate(FRAME_HEADER + message.length);
    return frame.put((byte) 0).putInt(message.length).put(message).flip();
  }

  private static void addTrailers(HttpFields.Mutable trailers, Ended ended) {
    trailers.put(new HttpField("grpc-status", Integer.toString(ended.status().getCode().value())));
    if (ended.status().getDescription() != null) {
      trailers.put(new HttpField("grpc-message", percentEncoded(ended.status().getDescription())));
    }
    for (String name : ended.trailers().keys()) {
      if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
        byte[] value = ended.trailers().get(Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER));
        trailers.put(
            new HttpField(
                name,
                value == null ? "" : Base64.getEncoder().withoutPadding().encodeToString(value)));
      }
    }
  }

  /** As the gRPC protocol asks for messages: printable ASCII, the rest as %XX of UTF-8. */
  static String percentEncoded(String text) {
    var encoded = new StringBuilder();
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      if (b >= ' ' && b < 0x7f && b != '%') {
        encoded.append((char) b);
      } else {
        encoded.append(String.format("%%%02X", b & 0xff));
      }
    }
    return encoded.toString();
  }

  private static final class BytesMarshaller implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try (stream) {
        return stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
