package dev.towline.runtime.sealed;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import com.google.protobuf.UnsafeByteOperations;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.sealed.SealedFailure.Reason;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Frames over a {@link SealedChannel}: what agent and manager exchange through a proxy.
 *
 * <p>Lifecycle, threading and failure are the channel's.
 *
 * @param <I> the frames that arrive
 * @param <O> the frames that are sent
 */
public final class SealedLink<I extends MessageLite, O extends MessageLite> {
  /** The largest frame; the same limit holds for a message of a direct session. */
  public static final int MAX_FRAME = 4 << 20;

  /** The most sealed bytes that one frame of a proxy carries. */
  public static final int MAX_PIECE = 16 << 10;

  private final SealedChannel channel;
  private final FrameReader<I> reader;
  private @Nullable SealedFailure failure;

  private SealedLink(SealedChannel channel, Parser<I> parser) {
    this.channel = channel;
    this.reader = new FrameReader<>(parser, MAX_FRAME);
  }

  /** The agent's end. */
  public static SealedLink<ManagerFrame, AgentFrame> agentEnd(SealedChannel client) {
    return new SealedLink<>(client, ManagerFrame.parser());
  }

  /** The manager's end. */
  public static SealedLink<AgentFrame, ManagerFrame> managerEnd(SealedChannel server) {
    return new SealedLink<>(server, AgentFrame.parser());
  }

  /**
   * What came out of a call.
   *
   * @param outgoing sealed bytes for the peer, each at most {@link #MAX_PIECE} long
   * @param frames what the peer sent, in order
   * @param established the peer, in the step in which the handshake ended
   * @param failure set once the link is over
   */
  public record Step<I>(
      List<ByteString> outgoing,
      List<I> frames,
      PeerCheck.@Nullable Trusted established,
      @Nullable SealedFailure failure) {}

  /** Begins the handshake. */
  public Step<I> start() {
    return step(channel.start());
  }

  /** Takes sealed bytes of the peer, cut anywhere. */
  public Step<I> feed(ByteString sealed) {
    return failure != null
        ? new Step<>(List.of(), List.of(), null, failure)
        : step(channel.feed(sealed));
  }

  /** Sends a frame. Only once established. */
  public Step<I> send(O frame) {
    if (failure != null) {
      return new Step<>(List.of(), List.of(), null, failure);
    }
    int size = frame.getSerializedSize();
    if (size > MAX_FRAME) {
      throw new IllegalArgumentException(
          "frame of %d bytes (expected: at most %d)".formatted(size, MAX_FRAME));
    }
    byte[] bytes = new byte[CodedOutputStream.computeUInt32SizeNoTag(size) + size];
    var out = CodedOutputStream.newInstance(bytes);
    try {
      out.writeUInt32NoTag(size);
      frame.writeTo(out);
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("failed to write a frame to memory", e);
    }
    return step(channel.send(UnsafeByteOperations.unsafeWrap(bytes)));
  }

  /** Says goodbye to the peer's TLS; the link is over. */
  public Step<I> close() {
    return step(channel.close());
  }

  /** Frees native memory; must be called in the end, may be called twice. */
  public void release() {
    channel.release();
  }

  /** The authenticated peer, once established. */
  public PeerCheck.@Nullable Trusted peer() {
    return channel.peer();
  }

  /** What the peer presented, leaf first; empty before it is established. */
  public List<X509Certificate> peerChain() {
    return channel.peerChain();
  }

  /** What the handshake agreed on, once established. */
  public String cipherSuite() {
    return channel.cipherSuite();
  }

  private Step<I> step(SealedStep step) {
    failure = step.failure();
    List<I> frames = List.of();
    if (!step.plaintext().isEmpty()) {
      try {
        frames = reader.feed(step.plaintext());
      } catch (InvalidProtocolBufferException e) {
        failure = new SealedFailure(Reason.BAD_FRAME, String.valueOf(e.getMessage()));
      }
    }
    return new Step<>(pieces(step.outgoing()), frames, step.established(), failure);
  }

  private static List<ByteString> pieces(ByteString bytes) {
    if (bytes.size() <= MAX_PIECE) {
      return bytes.isEmpty() ? List.of() : List.of(bytes);
    }
    List<ByteString> pieces = new ArrayList<>();
    for (int at = 0; at < bytes.size(); at += MAX_PIECE) {
      pieces.add(bytes.substring(at, Math.min(bytes.size(), at + MAX_PIECE)));
    }
    return pieces;
  }
}
