package dev.towline.relay.tunnel;

import io.grpc.netty.shaded.io.netty.channel.ChannelFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Moves bytes between a local socket and a stream, as its {@link Tunnel} says.
 *
 * <p>Lifecycle: from {@link #start} to the end of the tunnel, of which the listener hears once.
 * Threading: the event loop that stream and socket share; nothing here blocks. Failure: whatever
 * breaks on one side becomes an event of the tunnel.
 */
public final class TunnelPump {
  private final Tunnel tunnel;
  private final TunnelStream stream;
  private final Connector connector;
  private final Consumer<TunnelEnd> ended;

  private @Nullable LocalSocket socket;
  private boolean performing;

  private TunnelPump(
      Tunnel tunnel,
      TunnelStream stream,
      @Nullable LocalSocket socket,
      Connector connector,
      Consumer<TunnelEnd> ended) {
    this.tunnel = tunnel;
    this.stream = stream;
    this.socket = socket;
    this.connector = connector;
    this.ended = ended;
  }

  /** For a socket that is there: the child's side. */
  public static TunnelPump forSocket(
      Tunnel tunnel, TunnelStream stream, LocalSocket socket, Consumer<TunnelEnd> ended) {
    return new TunnelPump(tunnel, stream, socket, Connector.none(), ended);
  }

  /** For a socket that the connector opens when the tunnel asks: the parent's side. */
  public static TunnelPump forConnector(
      Tunnel tunnel, TunnelStream stream, Connector connector, Consumer<TunnelEnd> ended) {
    return new TunnelPump(tunnel, stream, null, connector, ended);
  }

  /** To be called once, when the stream delivers to this pump. */
  public void start() {
    perform();
    streamReady();
    if (socket != null) {
      socket.attach(this);
    }
  }

  public Tunnel tunnel() {
    return tunnel;
  }

  // Events of the stream.

  public void received(Frame frame) {
    tunnel.received(frame);
    perform();
  }

  public void streamReady() {
    if (stream.isReady()) {
      tunnel.streamReady();
      perform();
    }
  }

  public void streamEnded(boolean orderly, String detail) {
    tunnel.streamEnded(orderly, detail);
    perform();
  }

  // Events of the connector.

  public void connected(LocalSocket connected) {
    if (tunnel.end() != null) {
      connected.abort();
      return;
    }
    socket = connected;
    connected.attach(this);
    tunnel.localConnected();
    perform();
  }

  public void connectFailed(String code, String detail) {
    tunnel.localFailed(code, detail);
    perform();
  }

  // Events of the socket.

  void localData(Payload payload) {
    tunnel.localData(payload);
    perform();
  }

  void localEof() {
    tunnel.localEof();
    perform();
  }

  void localFailed(String code, String detail) {
    tunnel.localFailed(code, detail);
    perform();
  }

  private void written(ChannelFuture future, int bytes) {
    Throwable cause = future.cause();
    if (cause == null) {
      tunnel.localWritten(bytes);
    } else {
      tunnel.localFailed("LOCAL_RESET", LocalSocket.describe(cause));
    }
    perform();
  }

  /** An output may cause events at once; their outputs are performed after it. */
  private void perform() {
    if (performing) {
      return;
    }
    performing = true;
    try {
      for (TunnelOutput next = tunnel.poll(); next != null; next = tunnel.poll()) {
        perform(next);
      }
    } finally {
      performing = false;
    }
  }

  private void perform(TunnelOutput output) {
    switch (output) {
      case TunnelOutput.Send(Frame.Data data) -> {
        stream.send(data);
        data.payload().discard();
        if (stream.isReady()) {
          tunnel.streamReady();
        }
      }
      case TunnelOutput.Send(Frame frame) -> stream.send(frame);
      case TunnelOutput.Connect(var open) -> connector.connect(open, this);
      case TunnelOutput.Write(Payload payload) -> {
        int size = payload.size();
        socket().write((NettyPayload) payload, future -> written(future, size));
      }
      case TunnelOutput.Read _ -> socket().read();
      case TunnelOutput.ShutdownOutput _ -> socket().shutdownOutput();
      case TunnelOutput.Close _ -> {
        if (socket != null) {
          socket.close();
        }
      }
      case TunnelOutput.Abort _ -> {
        if (socket != null) {
          socket.abort();
        }
      }
      case TunnelOutput.End(TunnelEnd how) -> {
        stream.end();
        ended.accept(how);
      }
    }
  }

  private LocalSocket socket() {
    if (socket == null) {
      throw new IllegalStateException("tunnel asks for a socket before it is connected");
    }
    return socket;
  }
}
