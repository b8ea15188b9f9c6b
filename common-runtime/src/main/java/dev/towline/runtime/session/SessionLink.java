package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.tls.ServerAddress;
import io.grpc.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One stream, dialled or taken in: sends frames as the peer takes them, openly to a manager, sealed
 * and on credit through a proxy.
 *
 * <p>Lifecycle: {@link #open}, then events to the owner until {@link Event.Ended}; {@link
 * #shutDown} frees everything and may be called any time. Threading: all methods on the session's
 * thread; events are posted from the transport's thread.
 */
final class SessionLink {
  private static final int PREFETCH = 32;

  /** What happens at the transport. */
  sealed interface Event {
    SessionLink link();

    record Writable(SessionLink link) implements Event {}

    record Received(SessionLink link, DownFrame frame) implements Event {}

    record Ended(SessionLink link, Status status) implements Event {}
  }

  private final DialOrder.Target target;
  private final IssuedIdentity identity;
  private final Carrier carrier;
  private final boolean attached;
  private final Consumer<Event> owner;
  private final Deque<AgentFrame> waiting = new ArrayDeque<>();
  private final Deque<UpFrame> control = new ArrayDeque<>();
  private final Deque<ByteString> sealedPieces = new ArrayDeque<>();
  private final Deque<SealedRecord> records = new ArrayDeque<>();
  private final Deque<SignedLogBatch> logs = new ArrayDeque<>();
  private long waitingBytes;
  private @Nullable SealedLink<ManagerFrame, AgentFrame> inner;
  private long sendCredit;
  private int taken;
  private int grantAt;
  private PeerCheck.@Nullable Trusted peer;
  private boolean halfClosed;
  private boolean ended;

  /** The conversation over this link, once it has begun. */
  @Nullable SessionCore core;

  /** When the link is given up unless something happens. */
  long deadline = Long.MAX_VALUE;

  /** When it is left although it works, because that was ordered. */
  long leaveAt = Long.MAX_VALUE;

  /** Goodbye was said until the next contact. */
  boolean leaving;

  /** The program stops, and this link was dialled to say so. */
  boolean saidFarewell;

  /** Of one that is left: until the next contact. */
  Duration untilNext = Duration.ZERO;

  /**
   * @param attached the manager dialled
   */
  SessionLink(
      DialOrder.Target target,
      IssuedIdentity identity,
      Carrier carrier,
      boolean attached,
      Consumer<Event> owner) {
    this.target = target;
    this.identity = identity;
    this.carrier = carrier;
    this.attached = attached;
    this.owner = owner;
  }

  void open() {
    carrier.start(
        new Carrier.Listener() {
          @Override
          public void writable() {
            owner.accept(new Event.Writable(SessionLink.this));
          }

          @Override
          public void received(DownFrame frame) {
            owner.accept(new Event.Received(SessionLink.this, frame));
          }

          @Override
          public void ended(Status status) {
            owner.accept(new Event.Ended(SessionLink.this, status));
          }
        },
        PREFETCH);
  }

  /** Whether the manager dialled. */
  boolean isAttached() {
    return attached;
  }

  DialOrder.Target target() {
    return target;
  }

  /** As it was configured. */
  ServerAddress server() {
    return target.named();
  }

  /** The address behind it that was dialled; where the manager came from when it did. */
  ServerAddress address() {
    return target.dialled();
  }

  /** The certificate that this link presented, and its key. */
  IssuedIdentity identity() {
    return identity;
  }

  /** Who was dialled, once the transport is up. */
  PeerCheck.@Nullable Trusted peer() {
    return peer;
  }

  /** The manager at the other end, behind a proxy or not; null before it is known. */
  PeerCheck.@Nullable Trusted manager() {
    return inner == null ? peer : inner.peer();
  }

  /** The session as observers see it; its manager is the one whose certificate was checked. */
  SessionObserver.Established established(Welcome welcome) {
    PeerCheck.Trusted outer = Objects.requireNonNull(peer, "peer of a welcomed link");
    PeerCheck.Trusted manager =
        inner == null ? outer : Objects.requireNonNull(inner.peer(), "inner peer");
    return new SessionObserver.Established(
        welcome.getGeneration(),
        manager.identity(),
        outer.identity(),
        server(),
        address(),
        Instant.ofEpochMilli(welcome.getManagerTimeMs()));
  }

  /** Checks the transport's peer in the application; done once, when it is first writable. */
  PeerCheck checkPeer(PeerVerifier verifier) {
    PeerCheck check =
        carrier
            .peerChain()
            .map(verifier::check)
            .orElse(new PeerCheck.Refused("PEER_UNKNOWN", "the transport has no TLS peer"));
    if (check instanceof PeerCheck.Trusted trusted) {
      peer = trusted;
    }
    return check;
  }

  /** One received frame has been dealt with: another may come. */
  void consumed() {
    if (!ended) {
      carrier.request(1);
    }
  }

  /** Begins an inner connection; what was under way in an earlier one is gone. */
  SealedLink.Step<ManagerFrame> beginInner(
      SealedLink<ManagerFrame, AgentFrame> link, long upstream, int initialCredit) {
    dropInner();
    inner = link;
    sendCredit = initialCredit;
    taken = 0;
    grantAt = Math.max(1, initialCredit / 4);
    control.add(UpFrame.newBuilder().setUpstream(upstream).build());
    return enqueue(link.start());
  }

  /** Forgets the inner connection and everything that waited for it. */
  void dropInner() {
    if (inner != null) {
      inner.release();
      inner = null;
    }
    sealedPieces.clear();
    control.clear();
    waiting.clear();
    waitingBytes = 0;
  }

  /** Takes sealed bytes of the manager. */
  SealedLink.@Nullable Step<ManagerFrame> feedInner(ByteString sealed) {
    if (inner == null) {
      return null;
    }
    taken += sealed.size();
    if (taken >= grantAt) {
      control.add(UpFrame.newBuilder().setCredit(taken).build());
      taken = 0;
    }
    return enqueue(inner.feed(sealed));
  }

  /** That many more sealed bytes may be sent. */
  void credit(int bytes) {
    sendCredit += Integer.toUnsignedLong(bytes);
  }

  /** Queues a frame; false when the peer is too slow for it. */
  boolean send(AgentFrame frame, boolean essential) {
    int size = frame.getSerializedSize();
    int limit = essential ? SessionTimings.QUEUE_LIMIT : SessionTimings.DROP_ABOVE;
    if (ended || halfClosed || waitingBytes + size > limit) {
      return false;
    }
    waiting.add(frame);
    waitingBytes += size;
    return true;
  }

  /** Queues a log batch; it goes when nothing else can. */
  void sendLogs(SignedLogBatch batch) {
    if (!ended && !halfClosed) {
      logs.add(batch);
    }
  }

  /** Queues a record for the spool of the proxy that this link leads to. */
  void sendRecord(SealedRecord record) {
    if (!ended && !halfClosed) {
      records.add(record);
    }
  }

  /** Sends what the transport and the credit allow. */
  void pump() {
    while (!ended && !halfClosed && peer != null && carrier.isReady()) {
      UpFrame next = next();
      if (next == null) {
        SealedRecord record = records.poll();
        next = record == null ? nextLogs() : UpFrame.newBuilder().setRecord(record).build();
      }
      if (next == null) {
        return;
      }
      carrier.send(next);
    }
  }

  /** Nothing waits to be sent. */
  boolean idle() {
    return waiting.isEmpty() && control.isEmpty() && sealedPieces.isEmpty() && records.isEmpty();
  }

  /** Tells the peer that nothing more will come. */
  void halfClose() {
    if (!ended && !halfClosed) {
      halfClosed = true;
      carrier.halfClose();
    }
  }

  void ended() {
    ended = true;
    records.clear();
    logs.clear();
  }

  boolean isEnded() {
    return ended;
  }

  /** Ends the stream and frees everything. */
  void shutDown(String why) {
    dropInner();
    ended = true;
    carrier.release(why);
  }

  private @Nullable UpFrame next() {
    UpFrame first = control.poll();
    if (first != null) {
      return first;
    }
    if (inner == null) {
      AgentFrame frame = pollWaiting();
      return frame == null ? null : UpFrame.newBuilder().setOpen(frame).build();
    }
    if (sendCredit <= 0) {
      return null;
    }
    if (sealedPieces.isEmpty()) {
      AgentFrame frame = inner.peer() == null ? null : pollWaiting();
      if (frame == null) {
        return null;
      }
      sealedPieces.addAll(inner.send(frame).outgoing());
    }
    ByteString piece = sealedPieces.poll();
    if (piece == null) {
      return null;
    }
    if (piece.size() > sendCredit) {
      sealedPieces.addFirst(piece.substring((int) sendCredit));
      piece = piece.substring(0, (int) sendCredit);
    }
    sendCredit -= piece.size();
    return UpFrame.newBuilder().setSealed(piece).build();
  }

  /** To a manager openly; to a proxy beside the inner connection, with or without one. */
  private @Nullable UpFrame nextLogs() {
    SignedLogBatch batch = logs.poll();
    if (batch == null) {
      return null;
    }
    boolean toManager = peer != null && peer.identity().role() == Role.MANAGER;
    return toManager
        ? UpFrame.newBuilder().setOpen(AgentFrame.newBuilder().setLogBatch(batch)).build()
        : UpFrame.newBuilder().setLogBatch(batch).build();
  }

  private @Nullable AgentFrame pollWaiting() {
    AgentFrame frame = waiting.poll();
    if (frame != null) {
      waitingBytes -= frame.getSerializedSize();
    }
    return frame;
  }

  private SealedLink.Step<ManagerFrame> enqueue(SealedLink.Step<ManagerFrame> step) {
    sealedPieces.addAll(step.outgoing());
    return step;
  }

  @Override
  public String toString() {
    return (target.named().equals(target.dialled())
            ? target.named().toString()
            : target.named() + " [" + target.dialled() + "]")
        + (peer == null ? "" : " (" + peer.identity() + ")");
  }
}
