package dev.towline.bench.proxy;

import com.google.protobuf.MessageLite;
import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.handler.codec.ByteToMessageDecoder;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.Http2Exception;
import io.grpc.netty.shaded.io.netty.handler.codec.http2.Http2Headers;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * One gRPC call on an HTTP/2 connection of its own: what a channel of gRPC does on the wire, pings
 * included, at a small part of its cost. Two cores carry both ends of thousands of these.
 *
 * <p>Threading: belongs to its connection's event loop.
 */
final class GrpcCall extends ByteToMessageDecoder {
  private static final byte[] PREFACE =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
  private static final int FRAME_HEADER = 9;
  private static final int MESSAGE_HEADER = 5;
  private static final int MAX_FRAME = 16 << 10;
  private static final int INITIAL_WINDOW = 65_535;
  private static final int GIVE_BACK = 16 << 10;
  private static final int MAX_MESSAGE = 4 << 20;

  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int RST_STREAM = 3;
  private static final int SETTINGS = 4;
  private static final int PING = 6;
  private static final int GOAWAY = 7;
  private static final int WINDOW_UPDATE = 8;

  private static final int ACK = 1;
  private static final int END_STREAM = 1;
  private static final int END_HEADERS = 4;
  private static final int PADDED = 8;
  private static final int SETTING_TABLE_SIZE = 1;
  private static final int SETTING_PUSH = 2;
  private static final int SETTING_WINDOW = 4;

  private final byte[] headers;
  private final Listener listener;
  private final Deque<byte[]> waiting = new ArrayDeque<>(1);
  private byte[] partial = {};
  private ChannelHandlerContext context;
  private int connectionWindow = INITIAL_WINDOW;
  private int streamWindow = INITIAL_WINDOW;
  private int peersInitialWindow = INITIAL_WINDOW;
  private int consumed;
  private boolean quiet;
  private boolean closed;

  /** What happens on the call; told on its event loop. */
  interface Listener {
    void opened(GrpcCall call);

    void message(ByteBuf message);

    /** Once, whatever ended it. */
    void closed(String why);
  }

  @SuppressWarnings("NullAway.Init") // set when it is added
  GrpcCall(String path, String authority, Listener listener) {
    this.headers = headerBlock(path, authority);
    this.listener = listener;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) throws Exception {
    if (event instanceof SslHandshakeCompletionEvent handshake) {
      if (handshake.isSuccess()) {
        open();
      } else {
        close("TLS: " + handshake.cause());
      }
    }
    super.userEventTriggered(ctx, event);
  }

  private void open() {
    ByteBuf first = context.alloc().buffer(PREFACE.length + 2 * FRAME_HEADER + 12 + headers.length);
    first.writeBytes(PREFACE);
    frameHeader(first, 12, SETTINGS, 0, 0);
    // No dynamic table: nothing of it would be used twice.
    first.writeShort(SETTING_TABLE_SIZE).writeInt(0);
    first.writeShort(SETTING_PUSH).writeInt(0);
    frameHeader(first, headers.length, HEADERS, END_HEADERS, 1);
    first.writeBytes(headers);
    context.writeAndFlush(first);
    listener.opened(this);
  }

  /** Sends a message, when the peer's window allows. */
  void send(MessageLite message) {
    if (closed) {
      return;
    }
    byte[] bytes = message.toByteArray();
    byte[] prefixed = new byte[MESSAGE_HEADER + bytes.length];
    prefixed[1] = (byte) (bytes.length >> 24);
    prefixed[2] = (byte) (bytes.length >> 16);
    prefixed[3] = (byte) (bytes.length >> 8);
    prefixed[4] = (byte) bytes.length;
    System.arraycopy(bytes, 0, prefixed, MESSAGE_HEADER, bytes.length);
    waiting.add(prefixed);
    pump();
  }

  /** Says that nothing more comes. */
  void halfClose() {
    if (!closed) {
      ByteBuf frame = context.alloc().buffer(FRAME_HEADER);
      frameHeader(frame, 0, DATA, END_STREAM, 1);
      context.writeAndFlush(frame);
    }
  }

  /** Every half minute: asks for a sign of life after a silent one, gives up after two. */
  void keepAlive() {
    if (closed) {
      return;
    }
    if (quiet) {
      ByteBuf ping = context.alloc().buffer(FRAME_HEADER + 8);
      frameHeader(ping, 8, PING, 0, 0);
      ping.writeLong(0);
      context.writeAndFlush(ping);
    }
    quiet = true;
  }

  /** The connection did not come about. */
  void refused(String why) {
    if (!closed) {
      closed = true;
      listener.closed(why);
    }
  }

  void shutDown() {
    closed = true;
    context.close();
  }

  private void pump() {
    boolean wrote = false;
    while (!waiting.isEmpty()) {
      byte[] message = waiting.peek();
      if (message.length > Math.min(connectionWindow, streamWindow)) {
        break;
      }
      waiting.remove();
      connectionWindow -= message.length;
      streamWindow -= message.length;
      for (int at = 0; at < message.length; at += MAX_FRAME) {
        int length = Math.min(MAX_FRAME, message.length - at);
        ByteBuf frame = context.alloc().buffer(FRAME_HEADER + length);
        frameHeader(frame, length, DATA, 0, 1);
        frame.writeBytes(message, at, length);
        context.write(frame);
        wrote = true;
      }
    }
    if (wrote) {
      context.flush();
    }
  }

  @Override
  protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out)
      throws Http2Exception {
    quiet = false;
    while (!closed && in.readableBytes() >= FRAME_HEADER) {
      int length = in.getUnsignedMedium(in.readerIndex());
      if (in.readableBytes() < FRAME_HEADER + length) {
        return;
      }
      in.skipBytes(3);
      int type = in.readUnsignedByte();
      int flags = in.readUnsignedByte();
      int stream = in.readInt();
      frame(type, flags, stream, in.readSlice(length));
    }
    if (closed) {
      in.skipBytes(in.readableBytes());
    }
  }

  private void frame(int type, int flags, int stream, ByteBuf body) throws Http2Exception {
    switch (type) {
      case DATA -> data(flags, body);
      case HEADERS -> {
        if ((flags & END_STREAM) != 0) {
          Http2Headers trailers = new DefaultHttp2HeadersDecoder().decodeHeaders(1, body);
          close(trailers.get("grpc-status") + " " + trailers.get("grpc-message"));
        }
      }
      case RST_STREAM -> close("stream reset: " + body.readInt());
      case SETTINGS -> settings(flags, body);
      case PING -> {
        if ((flags & ACK) == 0) {
          ByteBuf pong = context.alloc().buffer(FRAME_HEADER + 8);
          frameHeader(pong, 8, PING, ACK, 0);
          pong.writeBytes(body);
          context.writeAndFlush(pong);
        }
      }
      case GOAWAY -> {
        body.skipBytes(4);
        if (body.readInt() != 0) {
          close("the server goes away");
        }
      }
      case WINDOW_UPDATE -> {
        int more = body.readInt();
        if (stream == 0) {
          connectionWindow += more;
        } else {
          streamWindow += more;
        }
        pump();
      }
      default -> {}
    }
  }

  private void settings(int flags, ByteBuf body) {
    if ((flags & ACK) != 0) {
      return;
    }
    while (body.readableBytes() >= 6) {
      int name = body.readUnsignedShort();
      int value = body.readInt();
      if (name == SETTING_WINDOW) {
        streamWindow += value - peersInitialWindow;
        peersInitialWindow = value;
      }
    }
    ByteBuf acknowledged = context.alloc().buffer(FRAME_HEADER);
    frameHeader(acknowledged, 0, SETTINGS, ACK, 0);
    context.writeAndFlush(acknowledged);
    pump();
  }

  private void data(int flags, ByteBuf body) {
    if ((flags & PADDED) != 0) {
      close("padded data");
      return;
    }
    consumed += body.readableBytes();
    if (consumed >= GIVE_BACK) {
      ByteBuf give = context.alloc().buffer(2 * (FRAME_HEADER + 4));
      for (int stream = 0; stream < 2; stream++) {
        frameHeader(give, 4, WINDOW_UPDATE, 0, stream);
        give.writeInt(consumed);
      }
      consumed = 0;
      context.writeAndFlush(give);
    }
    if (partial.length > 0) {
      var joined = new ByteArrayOutputStream();
      joined.writeBytes(partial);
      byte[] more = new byte[body.readableBytes()];
      body.readBytes(more);
      joined.writeBytes(more);
      messages(context.alloc().buffer().writeBytes(joined.toByteArray()), true);
    } else {
      messages(body, false);
    }
    if ((flags & END_STREAM) != 0) {
      close("the server ended the stream");
    }
  }

  private void messages(ByteBuf bytes, boolean owned) {
    try {
      while (!closed && bytes.readableBytes() >= MESSAGE_HEADER) {
        int length = bytes.getInt(bytes.readerIndex() + 1);
        if (length < 0 || length > MAX_MESSAGE) {
          close("message of " + length + " bytes");
          return;
        }
        if (bytes.readableBytes() < MESSAGE_HEADER + length) {
          break;
        }
        bytes.skipBytes(MESSAGE_HEADER);
        listener.message(bytes.readSlice(length));
      }
      partial = new byte[bytes.readableBytes()];
      bytes.readBytes(partial);
    } finally {
      if (owned) {
        bytes.release();
      }
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) throws Exception {
    super.channelInactive(ctx);
    close("the connection was lost");
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    close(String.valueOf(cause));
  }

  private void close(String why) {
    if (!closed) {
      closed = true;
      context.close();
      listener.closed(why);
    }
  }

  private static void frameHeader(ByteBuf out, int length, int type, int flags, int stream) {
    out.writeMedium(length).writeByte(type).writeByte(flags).writeInt(stream);
  }

  /** Static entries of HPACK by number, the others as literals that nobody remembers. */
  private static byte[] headerBlock(String path, String authority) {
    var out = new ByteArrayOutputStream();
    out.write(0x83); // :method POST
    out.write(0x87); // :scheme https
    out.write(0x04); // :path
    text(out, path);
    out.write(0x01); // :authority
    text(out, authority);
    out.write(0x0f); // content-type
    out.write(0x10);
    text(out, "application/grpc");
    out.write(0x00);
    text(out, "te");
    text(out, "trailers");
    return out.toByteArray();
  }

  private static void text(ByteArrayOutputStream out, String text) {
    out.write(text.length());
    out.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
  }
}
