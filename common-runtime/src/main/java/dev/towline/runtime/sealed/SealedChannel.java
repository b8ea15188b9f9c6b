package dev.towline.runtime.sealed;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.sealed.SealedFailure.Reason;
import io.grpc.netty.shaded.io.netty.buffer.ByteBufAllocator;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.util.ReferenceCountUtil;
import java.nio.ByteBuffer;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import javax.crypto.AEADBadTagException;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * One end of a TLS 1.3 connection that is given bytes and returns bytes. Both ends present a
 * certificate of the fleet, and each says which peers it expects.
 *
 * <p>Lifecycle: {@link #start} once, then {@link #feed} and, once established, {@link #send}, until
 * a step carries a failure or {@link #close} is called; {@link #release} frees native memory and
 * must be called in the end.
 *
 * <p>Threading: not thread-safe; its session's one thread at a time uses it.
 *
 * <p>Failure: never throws for what a peer sends; the step says what happened, and every later call
 * returns an empty step with the same failure. Holds no buffer between calls but the part of a
 * record that has not fully arrived.
 */
public final class SealedChannel {
  private static final int RECORD_HEADER = 5;
  private static final int MAX_RECORD_BODY = 16_384 + 256;
  private static final int MAX_PLAINTEXT = 16_384;
  private static final int WRAP_OVERHEAD = 256;
  private static final int HANDSHAKE_BUFFER = 2_048;
  private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

  private final SSLEngine engine;
  private final PeerVerifier verifier;
  private final Predicate<NodeIdentity> expected;
  private byte[] partial = {};
  private @Nullable SealedFailure failure;
  private PeerCheck.@Nullable Trusted peer;
  private List<X509Certificate> peerChain = List.of();
  private boolean released;

  private SealedChannel(
      SslContext context,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected,
      ByteBufAllocator allocator) {
    this.engine = context.newEngine(allocator);
    this.verifier = verifier;
    this.expected = expected;
  }

  /** The end that speaks first. The context must be a client's, with this end's certificate. */
  public static SealedChannel client(
      SslContext context,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected,
      ByteBufAllocator allocator) {
    return checked(context, true, verifier, expected, allocator);
  }

  /** The end that answers. The context must be a server's that requires a certificate. */
  public static SealedChannel server(
      SslContext context,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected,
      ByteBufAllocator allocator) {
    return checked(context, false, verifier, expected, allocator);
  }

  private static SealedChannel checked(
      SslContext context,
      boolean client,
      PeerVerifier verifier,
      Predicate<NodeIdentity> expected,
      ByteBufAllocator allocator) {
    if (context.isClient() != client) {
      throw new IllegalArgumentException(
          "TLS context of the wrong side (expected: %s)".formatted(client ? "client" : "server"));
    }
    return new SealedChannel(context, verifier, expected, allocator);
  }

  /** Begins the handshake: the first bytes of a client, nothing for a server. */
  public SealedStep start() {
    if (failure != null) {
      return ended();
    }
    var out = new Collector();
    try {
      engine.beginHandshake();
      progress(engine.getHandshakeStatus(), out);
    } catch (SSLException e) {
      fail(e, out);
    }
    return out.step();
  }

  /** Takes bytes of the peer, cut anywhere. */
  public SealedStep feed(ByteString bytes) {
    if (failure != null) {
      return ended();
    }
    var out = new Collector();
    byte[] input = joined(bytes);
    int offset = 0;
    try {
      while (failure == null) {
        int length = recordLength(input, offset);
        if (length < 0 || input.length - offset < length) {
          break;
        }
        unwrap(ByteBuffer.wrap(input, offset, length), out);
        offset += length;
      }
    } catch (SSLException e) {
      fail(e, out);
    }
    keep(input, offset);
    return out.step();
  }

  /** Seals plaintext of any length. Only once established. */
  public SealedStep send(ByteString plaintext) {
    if (failure != null) {
      return ended();
    }
    if (peer == null) {
      throw new IllegalStateException("nothing may be sealed before the peer is known");
    }
    var out = new Collector();
    try {
      for (int at = 0; at < plaintext.size(); at += MAX_PLAINTEXT) {
        int end = Math.min(plaintext.size(), at + MAX_PLAINTEXT);
        ByteBuffer source = plaintext.substring(at, end).asReadOnlyByteBuffer();
        while (source.hasRemaining() && failure == null) {
          progress(wrap(source, out).getHandshakeStatus(), out);
        }
      }
    } catch (SSLException e) {
      fail(e, out);
    }
    return out.step();
  }

  /** Says goodbye to the peer and ends the channel. */
  public SealedStep close() {
    if (failure != null) {
      return ended();
    }
    var out = new Collector();
    failure = new SealedFailure(Reason.CLOSED_BY_PEER, "closed by this end");
    engine.closeOutbound();
    drain(out);
    return new SealedStep(out.outgoing(), ByteString.EMPTY, null, null);
  }

  /** Frees native memory; the channel is over. May be called twice. */
  public void release() {
    if (!released) {
      released = true;
      if (failure == null) {
        failure = new SealedFailure(Reason.CLOSED_BY_PEER, "released by this end");
      }
      ReferenceCountUtil.safeRelease(engine);
    }
  }

  /** The authenticated peer, once established. */
  public PeerCheck.@Nullable Trusted peer() {
    return peer;
  }

  /** What the peer presented, leaf first; empty before it is established. */
  public List<X509Certificate> peerChain() {
    return peerChain;
  }

  /** What the handshake agreed on, for instance {@code TLS_AES_128_GCM_SHA256}. */
  public String cipherSuite() {
    return engine.getSession().getCipherSuite();
  }

  private void unwrap(ByteBuffer record, Collector out) throws SSLException {
    ByteBuffer target = ByteBuffer.allocate(Math.max(record.remaining(), 1));
    while (failure == null) {
      SSLEngineResult result = engine.unwrap(record, target);
      switch (result.getStatus()) {
        case CLOSED -> {
          take(target, out);
          failure = new SealedFailure(Reason.CLOSED_BY_PEER, "the peer ended the connection");
          drain(out);
          return;
        }
        case BUFFER_OVERFLOW -> {
          take(target, out);
          target = ByteBuffer.allocate(MAX_RECORD_BODY + RECORD_HEADER);
        }
        case BUFFER_UNDERFLOW ->
            throw new SSLException("a whole record was not enough for the handshake");
        case OK -> {
          if (engine.isInboundDone()) {
            take(target, out);
            failure = new SealedFailure(Reason.CLOSED_BY_PEER, "the peer ended the connection");
            drain(out);
            return;
          }
          if (peer != null && result.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
            // Neither end renews its keys, so this is the alert about a record that failed; the
            // engine would throw only with the next one.
            failure = new SealedFailure(Reason.BAD_RECORD, "a record failed its authentication");
            drain(out);
            return;
          }
          progress(result.getHandshakeStatus(), out);
          if (!record.hasRemaining()) {
            take(target, out);
            return;
          }
          if (result.bytesConsumed() == 0 && result.bytesProduced() == 0) {
            throw new SSLException("no progress within a record");
          }
        }
      }
    }
  }

  /**
   * Runs the handshake as far as it goes without input. The status comes from the last call's
   * result: asked by itself, the engine forgets what its full network buffer kept back.
   */
  private void progress(HandshakeStatus reported, Collector out) throws SSLException {
    HandshakeStatus status = reported;
    while (failure == null) {
      switch (status) {
        case NEED_TASK -> {
          for (Runnable task = engine.getDelegatedTask();
              task != null;
              task = engine.getDelegatedTask()) {
            task.run();
          }
          // Only a call goes on with what the tasks found out.
          status = HandshakeStatus.NEED_WRAP;
        }
        case NEED_WRAP -> {
          SSLEngineResult result = wrap(NOTHING.duplicate(), out);
          status = result.getHandshakeStatus();
          if (status == HandshakeStatus.NEED_WRAP && result.bytesProduced() == 0) {
            return;
          }
        }
        case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> {
          return;
        }
        case FINISHED, NOT_HANDSHAKING -> {
          established(out);
          return;
        }
      }
    }
  }

  private void established(Collector out) throws SSLException {
    if (peer != null) {
      return;
    }
    // The trust manager has checked the same, but not for a resumed session.
    List<X509Certificate> chain = new ArrayList<>();
    for (Certificate certificate : engine.getSession().getPeerCertificates()) {
      chain.add((X509Certificate) certificate);
    }
    switch (verifier.check(chain, expected)) {
      case PeerCheck.Trusted trusted -> {
        peer = trusted;
        peerChain = List.copyOf(chain);
        out.established = trusted;
      }
      case PeerCheck.Refused refused -> {
        failure =
            new SealedFailure(Reason.UNTRUSTED_PEER, refused.code() + ": " + refused.detail());
        engine.closeOutbound();
        drain(out);
      }
    }
  }

  private SSLEngineResult wrap(ByteBuffer source, Collector out) throws SSLException {
    int size = source.hasRemaining() ? source.remaining() + WRAP_OVERHEAD : HANDSHAKE_BUFFER;
    while (true) {
      ByteBuffer target = ByteBuffer.allocate(size);
      SSLEngineResult result = engine.wrap(source, target);
      if (result.getStatus() == SSLEngineResult.Status.BUFFER_OVERFLOW) {
        size = Math.max(size * 4, engine.getSession().getPacketBufferSize());
        continue;
      }
      if (target.position() > 0) {
        out.sealed.add(UnsafeByteOperations.unsafeWrap(target.array(), 0, target.position()));
      }
      if (result.getStatus() == SSLEngineResult.Status.CLOSED && failure == null) {
        failure = new SealedFailure(Reason.CLOSED_BY_PEER, "the connection is closed");
      }
      return result;
    }
  }

  private void fail(SSLException e, Collector out) {
    failure = failureOf(e);
    drain(out);
  }

  /** Collects the alert that tells the peer; that there is none changes nothing. */
  private void drain(Collector out) {
    try {
      int produced;
      do {
        produced = wrap(NOTHING.duplicate(), out).bytesProduced();
      } while (produced > 0);
    } catch (SSLException _) {
      // The engine reports its failure once more.
    }
  }

  /** What a failure of TLS says about the way to the peer; also of TLS that a transport runs. */
  public static SealedFailure failureOf(SSLException e) {
    return new SealedFailure(reasonOf(e), text(e));
  }

  private static Reason reasonOf(SSLException e) {
    for (Throwable t = e; t != null; t = t.getCause()) {
      if (t instanceof CertificateException) {
        return Reason.UNTRUSTED_PEER;
      }
      // Of the JDK's provider, which has words of its own.
      if (t instanceof AEADBadTagException) {
        return Reason.BAD_RECORD;
      }
    }
    String text = text(e).toUpperCase(Locale.ROOT);
    if (text.contains("CERTIFICATE_VERIFY_FAILED")
        || text.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE")) {
      return Reason.UNTRUSTED_PEER;
    }
    if (text.contains("ALERT_") || text.contains("FATAL ALERT")) {
      return text.contains("BAD_RECORD_MAC") || text.contains("DECRYPT")
          ? Reason.BAD_RECORD
          : Reason.REJECTED_BY_PEER;
    }
    if (text.contains("BAD_DECRYPT")
        || text.contains("BAD_RECORD")
        || text.contains("DECRYPTION_FAILED")
        || text.contains("DIGEST_CHECK_FAILED")) {
      return Reason.BAD_RECORD;
    }
    return Reason.PROTOCOL;
  }

  /** What the innermost cause says; the engine's own words above it say nothing. */
  private static String text(SSLException e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    String message = cause.getMessage();
    return message == null ? cause.getClass().getSimpleName() : message;
  }

  /** Length of the record at the offset with its header, -1 when the header is incomplete. */
  private static int recordLength(byte[] input, int offset) throws SSLException {
    if (input.length - offset < RECORD_HEADER) {
      return -1;
    }
    int type = input[offset] & 0xff;
    int major = input[offset + 1] & 0xff;
    int body = ((input[offset + 3] & 0xff) << 8) | (input[offset + 4] & 0xff);
    if (type < 20 || type > 23 || major != 3 || body > MAX_RECORD_BODY) {
      throw new SSLException(
          "not a TLS record: type %d, version %d, length %d".formatted(type, major, body));
    }
    return RECORD_HEADER + body;
  }

  private byte[] joined(ByteString bytes) {
    byte[] all = new byte[partial.length + bytes.size()];
    System.arraycopy(partial, 0, all, 0, partial.length);
    bytes.copyTo(all, partial.length);
    return all;
  }

  private void keep(byte[] input, int offset) {
    int rest = failure == null ? input.length - offset : 0;
    partial = new byte[rest];
    System.arraycopy(input, offset, partial, 0, rest);
  }

  private static void take(ByteBuffer target, Collector out) {
    if (target.position() > 0) {
      out.plain.add(ByteString.copyFrom(target.flip()));
    }
  }

  private SealedStep ended() {
    return new SealedStep(ByteString.EMPTY, ByteString.EMPTY, null, failure);
  }

  /** What one call produced. */
  private final class Collector {
    final List<ByteString> sealed = new ArrayList<>();
    final List<ByteString> plain = new ArrayList<>();
    PeerCheck.@Nullable Trusted established;

    ByteString outgoing() {
      return ByteString.copyFrom(sealed);
    }

    SealedStep step() {
      return new SealedStep(outgoing(), ByteString.copyFrom(plain), established, failure);
    }
  }
}
