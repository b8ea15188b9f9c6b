package dev.towline.relay.tunnel;

import dev.towline.proto.v1.OpenTunnel;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * The protocol of one tunnelled TCP connection, at one of its two relays. Knows no socket: it is
 * fed events and leaves outputs, which its driver performs in order.
 *
 * <p>Half-close is exact in both directions: the end of the local stream becomes {@link Frame.Fin}
 * after the last byte, a received one becomes a shutdown after the last byte was written. Anything
 * that ends otherwise resets both local sockets.
 *
 * <p>Memory is bounded by credit: a sender starts with {@value #INITIAL_CREDIT} bytes and gets more
 * as the receiver's socket takes them. The window doubles each time a whole window went through and
 * the socket kept up, so a stalled reader holds what it had and a fast one is not limited by the
 * round-trip time. The driver may deliver local data beyond the allowance (a kernel that saw FIN
 * does); it is kept in order and sent as credit comes.
 *
 * <p>Lifecycle: {@link #opening} at the child, {@link #answering} at the parent; ends with {@link
 * TunnelOutput.End}, after which events are ignored and payloads discarded. Threading: one thread.
 * Failure: a peer that breaks the protocol gets {@link Frame.Reset} with code {@code PROTOCOL}.
 */
public final class Tunnel {
  /** What either side may send before the first {@link Frame.Credit}. Part of the wire. */
  public static final int INITIAL_CREDIT = 64 * 1024;

  public static final int MAX_WINDOW = 4 * 1024 * 1024;
  public static final int MAX_CHUNK = 256 * 1024;

  private final CreditBudget budget;
  private final Queue<TunnelOutput> outputs = new ArrayDeque<>();

  // Local socket to stream.
  private final ArrayDeque<Payload> unsent = new ArrayDeque<>();
  private long sendCredit = INITIAL_CREDIT;
  private boolean streamReady;
  private boolean readPending;
  private boolean localEof;
  private boolean finSent;

  // Stream to local socket.
  private final ArrayDeque<Payload> undelivered = new ArrayDeque<>();
  private int window = INITIAL_CREDIT;
  private int outstanding = INITIAL_CREDIT;
  private int buffered;
  private long drainedSinceGrowth;
  private boolean finReceived;
  private boolean outputShut;

  private boolean opened;
  private boolean connected;
  private @Nullable TunnelEnd end;

  private long bytesSent;
  private long bytesReceived;

  private Tunnel(CreditBudget budget) {
    this.budget = budget;
  }

  /** The child's side: it has a socket and asks the parent to reach the target. */
  public static Tunnel opening(OpenTunnel open, CreditBudget budget) {
    Tunnel tunnel = new Tunnel(budget);
    tunnel.opened = true;
    tunnel.connected = true;
    tunnel.outputs.add(new TunnelOutput.Send(new Frame.Open(open)));
    tunnel.wantRead();
    return tunnel;
  }

  /** The parent's side: waits for the child to take the stream. */
  public static Tunnel answering(CreditBudget budget) {
    return new Tunnel(budget);
  }

  /** The next thing to do; null when there is nothing. */
  public @Nullable TunnelOutput poll() {
    return outputs.poll();
  }

  // Events of the stream.

  public void received(Frame frame) {
    if (end != null) {
      discard(frame);
      return;
    }
    switch (frame) {
      case Frame.Open(OpenTunnel open) -> receivedOpen(open);
      case Frame.Opened _ -> {}
      case Frame.Data(Payload payload) -> receivedData(payload);
      case Frame.Fin _ -> receivedFin();
      case Frame.Reset(String code, String detail) ->
          finish(new TunnelEnd.Broken(code, detail, true));
      case Frame.Credit(int bytes) -> receivedCredit(bytes);
    }
  }

  /** The stream takes another data frame. Holds for one. */
  public void streamReady() {
    if (end == null) {
      streamReady = true;
      flush();
    }
  }

  /** The stream is gone: because the peer was done with it, or because the link broke. */
  public void streamEnded(boolean orderly, String detail) {
    if (end != null) {
      return;
    }
    if (orderly && finReceived && finSent) {
      return;
    }
    finish(new TunnelEnd.Broken("LINK_LOST", detail, false));
  }

  // Events of the local socket.

  public void localConnected() {
    if (end != null || connected) {
      return;
    }
    connected = true;
    outputs.add(new TunnelOutput.Send(new Frame.Opened()));
    for (Payload next = undelivered.poll(); next != null; next = undelivered.poll()) {
      outputs.add(new TunnelOutput.Write(next));
    }
    shutWhenDrained();
    wantRead();
  }

  public void localData(Payload payload) {
    readPending = false;
    if (end != null || localEof) {
      payload.discard();
      return;
    }
    if (payload.size() == 0) {
      payload.discard();
    } else {
      unsent.add(payload);
    }
    flush();
  }

  /** The local peer sends no more. */
  public void localEof() {
    if (end != null || localEof) {
      return;
    }
    localEof = true;
    flush();
  }

  /** That many bytes of {@link TunnelOutput.Write} left for the local peer. */
  public void localWritten(int bytes) {
    if (end != null) {
      return;
    }
    buffered -= bytes;
    drainedSinceGrowth += bytes;
    if (finReceived) {
      shutWhenDrained();
      return;
    }
    grow();
    grant();
  }

  /** The local socket broke, or could not be connected. */
  public void localFailed(String code, String detail) {
    if (end == null) {
      reset(code, detail);
    }
  }

  // What the driver asks.

  /** How much the next read may bring. */
  public int readAllowance() {
    return Math.clamp(sendCredit, 1, MAX_CHUNK);
  }

  public @Nullable TunnelEnd end() {
    return end;
  }

  /** Bytes held here: received and not yet written, or read and not yet sent. */
  public long heldBytes() {
    long held = buffered;
    for (Payload payload : unsent) {
      held += payload.size();
    }
    return held;
  }

  public int window() {
    return window;
  }

  public long bytesSent() {
    return bytesSent;
  }

  public long bytesReceived() {
    return bytesReceived;
  }

  /** The peer waits for this side's socket to take what it already has. */
  public boolean stalled() {
    return buffered > 0 && outstanding == 0;
  }

  private void receivedOpen(OpenTunnel open) {
    if (opened) {
      reset("PROTOCOL", "second open on one stream");
      return;
    }
    opened = true;
    outputs.add(new TunnelOutput.Connect(open));
  }

  private void receivedData(Payload payload) {
    int size = payload.size();
    if (!opened || finReceived || size > outstanding) {
      payload.discard();
      reset(
          "PROTOCOL",
          !opened
              ? "data before open"
              : finReceived
                  ? "data after fin"
                  : size + " bytes of data (expected: at most the credit of " + outstanding + ")");
      return;
    }
    if (size == 0) {
      payload.discard();
      return;
    }
    outstanding -= size;
    buffered += size;
    bytesReceived += size;
    if (connected) {
      outputs.add(new TunnelOutput.Write(payload));
    } else {
      undelivered.add(payload);
    }
  }

  private void receivedFin() {
    if (!opened || finReceived) {
      reset("PROTOCOL", opened ? "second fin" : "fin before open");
      return;
    }
    finReceived = true;
    shutWhenDrained();
  }

  private void receivedCredit(int bytes) {
    if (bytes <= 0 || sendCredit + bytes > MAX_WINDOW) {
      reset("PROTOCOL", "credit of " + bytes + " on top of " + sendCredit);
      return;
    }
    sendCredit += bytes;
    flush();
  }

  private void flush() {
    while (streamReady && sendCredit > 0 && !unsent.isEmpty()) {
      Payload next = unsent.getFirst();
      int most = (int) Math.min(sendCredit, MAX_CHUNK);
      if (next.size() <= most) {
        unsent.removeFirst();
      } else {
        next = next.takeFirst(most);
      }
      sendCredit -= next.size();
      bytesSent += next.size();
      streamReady = false;
      outputs.add(new TunnelOutput.Send(new Frame.Data(next)));
    }
    if (localEof && unsent.isEmpty() && !finSent) {
      finSent = true;
      outputs.add(new TunnelOutput.Send(new Frame.Fin()));
      finishWhenBothEnded();
      return;
    }
    wantRead();
  }

  private void wantRead() {
    if (end == null
        && connected
        && !readPending
        && !localEof
        && unsent.isEmpty()
        && sendCredit > 0) {
      readPending = true;
      outputs.add(new TunnelOutput.Read());
    }
  }

  private void grow() {
    if (buffered > 0 || drainedSinceGrowth < window || window >= MAX_WINDOW) {
      return;
    }
    drainedSinceGrowth = 0;
    int more = Math.min(window, MAX_WINDOW - window);
    if (budget.tryTake(more)) {
      window += more;
    }
  }

  private void grant() {
    int owed = window - buffered - outstanding;
    if (owed >= window / 2) {
      outstanding += owed;
      outputs.add(new TunnelOutput.Send(new Frame.Credit(owed)));
    }
  }

  private void shutWhenDrained() {
    if (finReceived && connected && buffered == 0 && !outputShut) {
      outputShut = true;
      outputs.add(new TunnelOutput.ShutdownOutput());
      finishWhenBothEnded();
    }
  }

  private void finishWhenBothEnded() {
    if (outputShut && finSent) {
      finish(new TunnelEnd.Clean());
    }
  }

  private void reset(String code, String detail) {
    outputs.add(new TunnelOutput.Send(new Frame.Reset(code, detail)));
    finish(new TunnelEnd.Broken(code, detail, false));
  }

  private void finish(TunnelEnd how) {
    end = how;
    unsent.forEach(Payload::discard);
    unsent.clear();
    undelivered.forEach(Payload::discard);
    undelivered.clear();
    budget.giveBack(window - INITIAL_CREDIT);
    outputs.add(
        how instanceof TunnelEnd.Clean ? new TunnelOutput.Close() : new TunnelOutput.Abort());
    outputs.add(new TunnelOutput.End(how));
  }

  private static void discard(Frame frame) {
    if (frame instanceof Frame.Data(Payload payload)) {
      payload.discard();
    }
  }
}
