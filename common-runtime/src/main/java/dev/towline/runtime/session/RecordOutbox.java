package dev.towline.runtime.session;

import dev.towline.proto.state.v1.StoredResult;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.runtime.identity.IssuedIdentity;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Results and security events on their way from the journal to the manager: each is sent once in a
 * conversation, results within a window, and is freed when the manager has stored it. Threading:
 * the session's thread.
 */
final class RecordOutbox {
  private final NodeLedger ledger;
  private final IssuedIdentity identity;
  private final Consumer<AgentFrame.Builder> sender;
  private final Set<String> sentEvents = new HashSet<>();
  private final Deque<Sent> underWay = new ArrayDeque<>();
  private SessionJournal.RecordId lastSent = new SessionJournal.RecordId(0, 0);

  /**
   * @param identity signs results
   */
  RecordOutbox(NodeLedger ledger, IssuedIdentity identity, Consumer<AgentFrame.Builder> sender) {
    this.ledger = ledger;
    this.identity = identity;
    this.sender = sender;
  }

  /** A result under way. */
  private record Sent(SessionJournal.RecordId id, int size) {
    boolean coveredBy(RecordAck ack) {
      return id.epoch() == ack.getEpoch()
          && Long.compareUnsigned(id.sequence(), ack.getSequence()) <= 0;
    }
  }

  /** Sends what is new since the last call, as far as the window allows. */
  void flush() {
    int bytes = underWay.stream().mapToInt(Sent::size).sum();
    for (StoredResult result :
        ledger.journal().resultsAfter(lastSent, SessionTimings.RESULT_WINDOW - underWay.size())) {
      int size = result.getSerializedSize();
      if (bytes > 0 && bytes + size > SessionTimings.RESULT_WINDOW_BYTES) {
        break;
      }
      bytes += size;
      lastSent = new SessionJournal.RecordId(result.getEpoch(), result.getRecordSequence());
      underWay.add(new Sent(lastSent, size));
      sender.accept(AgentFrame.newBuilder().setResult(NodeLedger.signed(result, identity)));
    }
    for (SecurityEvent event : ledger.journal().events()) {
      if (sentEvents.add(event.getId())) {
        sender.accept(AgentFrame.newBuilder().setSecurityEvent(event));
      }
    }
  }

  /** The manager has results up to this one; makes room for more. */
  void resultsStored(RecordAck ack) {
    ledger.journal().freeResults(ack.getEpoch(), ack.getSequence());
    underWay.removeIf(sent -> sent.coveredBy(ack));
    flush();
  }

  void eventStored(String id) {
    ledger.journal().freeEvent(id);
    sentEvents.remove(id);
  }

  /** What the manager has not acknowledged. */
  int owed() {
    return ledger.journal().results().size() + ledger.journal().events().size();
  }
}
