package dev.towline.manager.uplink;

import com.google.protobuf.ByteString;
import dev.towline.manager.events.Events;
import dev.towline.manager.session.NodeSession;
import dev.towline.manager.session.SerialExecutor;
import dev.towline.manager.session.SessionLink;
import dev.towline.manager.session.SessionPeer;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.CloseSession;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.OpenSession;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.sealed.SealedFailure;
import dev.towline.runtime.sealed.SealedLink;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The manager's end of one session that a proxy carries: the inner TLS connection, the credit in
 * both directions, and the session inside.
 *
 * <p>Lifecycle: from OpenSession until the lane ends, either end closes, or the inner connection
 * breaks; native memory is freed then.
 *
 * <p>Threading: every method may be called by any thread; what they do runs one after another. The
 * handshake runs on a pool, so that thousands at once use all cores; afterwards the caller's thread
 * does the work, most often the one that reads the lane. The session inside has an order of its own
 * and meets this one only through queues.
 *
 * <p>Failure: what honest parties never produce is recorded under the name of the claimed host, and
 * ends the session.
 */
final class UplinkSession implements SessionLink {
  private static final Logger log = LoggerFactory.getLogger(UplinkSession.class);

  private static final int GRANT_AT = UplinkLane.INITIAL_CREDIT / 4;

  private final long number;
  private final OpenSession opening;
  private final UplinkLane lane;
  private final SealedLink<AgentFrame, ManagerFrame> sealed;
  private final Sessions sessions;
  private final Events events;
  private final SerialExecutor serial;

  private final Queue<ByteString> outgoing = new ArrayDeque<>();

  /** Received frames that the session inside has not asked for yet. */
  private final Queue<AgentFrame> arrived = new ArrayDeque<>();

  private volatile @Nullable NodeSession session;
  private int downCredit;

  /** Sealed bytes taken in for which no credit was given back yet. */
  private int taken;

  private int wanted = 1;
  private boolean closing;
  private boolean closed;

  UplinkSession(
      long number,
      OpenSession opening,
      UplinkLane lane,
      SealedLink<AgentFrame, ManagerFrame> sealed,
      Sessions sessions,
      Events events,
      Executor executor,
      int initialCredit) {
    this.number = number;
    this.opening = opening;
    this.lane = lane;
    this.sealed = sealed;
    this.sessions = sessions;
    this.events = events;
    this.serial = new SerialExecutor(executor);
    this.downCredit = initialCredit;
  }

  void start() {
    run(() -> take(sealed.start()));
  }

  void sealed(ByteString bytes) {
    run(() -> {
      if (closed) {
        return;
      }
      taken += bytes.size();
      take(sealed.feed(bytes));
      giveCredit();
    });
  }

  void credit(int bytes) {
    run(() -> {
      downCredit = (int) Math.min(Integer.MAX_VALUE, (long) downCredit + bytes);
      flush();
    });
  }

  /** The other side closed it, or its lane is gone. */
  void lost(String detail) {
    run(() -> end(null, detail));
  }

  @Override
  public void send(ManagerFrame frame) {
    run(() -> {
      if (!closed && !closing && sealed.peer() != null) {
        take(sealed.send(frame));
      }
    });
  }

  @Override
  public void proceed() {
    run(() -> {
      wanted++;
      hand();
      giveCredit();
    });
  }

  @Override
  public void close() {
    run(() -> {
      if (!closed && !closing) {
        closing = true;
        take(sealed.close());
        flush();
      }
    });
  }

  private void run(Runnable task) {
    Runnable guarded =
        () -> {
          try {
            task.run();
          } catch (RuntimeException e) {
            log.error("uplink session {} of {} failed", number, lane.proxy(), e);
            end("INTERNAL", "the manager failed");
          }
        };
    try {
      if (session == null) {
        serial.execute(guarded);
      } else {
        serial.executeHere(guarded);
      }
    } catch (RejectedExecutionException e) {
      log.debug("uplink session {} came to rest with the manager", number);
    }
  }

  private void take(SealedLink.Step<AgentFrame> step) {
    outgoing.addAll(step.outgoing());
    if (step.established() != null && !established(step.established())) {
      return;
    }
    arrived.addAll(step.frames());
    hand();
    flush();
    if (step.failure() != null && !closing) {
      failed(step.failure());
    }
  }

  private boolean established(PeerCheck.Trusted trusted) {
    String claimed = opening.getClaimedIdentity();
    if (!claimed.equals(trusted.identity().uri())) {
      events.record(
          "session.identity_mismatch",
          trusted.identity().id(),
          "proxy "
              + lane.proxy()
              + " claimed "
              + claimed
              + ", the session is that of "
              + trusted.identity());
      end("IDENTITY_MISMATCH", "the session is not that of " + claimed);
      return false;
    }
    session =
        sessions.open(
            new SessionPeer(
                trusted.identity(),
                sealed.peerChain(),
                lane.source(),
                lane.proxy(),
                opening.getSourceAddress(),
                "TLSv1.3",
                sealed.cipherSuite()),
            this);
    return true;
  }

  private void hand() {
    while (session != null && wanted > 0 && !arrived.isEmpty()) {
      wanted--;
      session.receive(arrived.remove());
    }
  }

  /**
   * Only what has been handed on makes room; a little of it is not worth a frame, of which an idle
   * host would get one for each heartbeat.
   */
  private void giveCredit() {
    if (!closed && taken >= GRANT_AT && arrived.isEmpty()) {
      lane.send(DownlinkFrame.newBuilder().setSession(number).setCredit(taken).build());
      taken = 0;
    }
  }

  private void flush() {
    while (!closed && !outgoing.isEmpty() && downCredit > 0) {
      ByteString piece = outgoing.remove();
      if (piece.size() > downCredit) {
        ByteString rest = piece.substring(downCredit);
        piece = piece.substring(0, downCredit);
        pushBack(rest);
      }
      downCredit -= piece.size();
      lane.send(DownlinkFrame.newBuilder().setSession(number).setSealed(piece).build());
    }
    if (closing && outgoing.isEmpty()) {
      end("SESSION_ENDED", "ended by the manager");
    }
  }

  private void pushBack(ByteString rest) {
    ((ArrayDeque<ByteString>) outgoing).addFirst(rest);
  }

  private void failed(SealedFailure failure) {
    String detail = failure.reason() + ": " + failure.detail();
    if (failure.suspicious()) {
      events.record(
          "session.tampered",
          host(),
          "session " + number + " through proxy " + lane.proxy() + ": " + detail);
    } else {
      log.debug("uplink session {} of {}: {}", number, lane.proxy(), detail);
    }
    end("SEALED_" + failure.reason(), failure.detail());
  }

  private String host() {
    PeerCheck.Trusted known = sealed.peer();
    if (known != null) {
      return known.identity().id();
    }
    String claimed = opening.getClaimedIdentity();
    return claimed.substring(claimed.lastIndexOf('/') + 1);
  }

  /**
   * @param code said to the proxy; null when it knows already
   */
  private void end(@Nullable String code, String detail) {
    if (closed) {
      return;
    }
    closed = true;
    outgoing.clear();
    arrived.clear();
    if (code != null) {
      lane.send(
          DownlinkFrame.newBuilder()
              .setSession(number)
              .setClose(CloseSession.newBuilder().setCode(code).setDetail(detail))
              .build());
    }
    lane.ended(number);
    sealed.release();
    if (session != null) {
      session.disconnected(detail);
    }
  }
}
