package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.state.v1.DirectiveMark;
import dev.towline.proto.state.v1.StoredResult;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.SignedResult;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Signatures;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * What a node owes and remembers across its conversations: the journal, the manager's time, and
 * what becomes of directives.
 *
 * <p>Threading: the session's thread.
 */
final class NodeLedger {
  static final String RESULT_CONTEXT = "towline result v1";

  private static final int CUT_OUTPUT = 4 << 10;

  private final NodeIdentity self;
  private final SessionJournal journal;
  private final InstantSource clock;
  private final RandomGenerator random;
  private List<SessionJournal.OpenDirective> leftOver;
  private Duration offset = Duration.ZERO;
  private Consumer<Instant> learned = _ -> {};

  NodeLedger(
      NodeIdentity self, SessionJournal journal, InstantSource clock, RandomGenerator random) {
    this.self = self;
    this.journal = journal;
    this.clock = clock;
    this.random = random;
    this.leftOver = journal.openDirectives();
  }

  /** Tells somebody else too what managers say of the time. */
  void tellsTime(Consumer<Instant> listener) {
    learned = listener;
  }

  SessionJournal journal() {
    return journal;
  }

  NodeIdentity self() {
    return self;
  }

  /** The time as the manager last told it, never below the floor. */
  Instant now() {
    Instant corrected = clock.instant().plus(offset);
    Instant floor = Instant.ofEpochMilli(journal.timeFloorMs());
    return corrected.isBefore(floor) ? floor : corrected;
  }

  /** This machine's own clock, for what is reported as such. */
  Instant localTime() {
    return clock.instant();
  }

  void managerTime(long managerTimeMs) {
    offset = Duration.between(clock.instant(), Instant.ofEpochMilli(managerTimeMs));
    learned.accept(Instant.ofEpochMilli(managerTimeMs));
    journal.raiseTimeFloor(managerTimeMs);
  }

  void accept(Directive directive) {
    journal.accepted(
        DirectiveMark.newBuilder()
            .setSequence(directive.getSequence())
            .setDirectiveId(directive.getId())
            .setKind(directive.getKind())
            .setTimeMs(now().toEpochMilli())
            .build());
  }

  /** False when the directive has ended already. */
  boolean start(long sequence) {
    var open = journal.openDirective(sequence);
    open.ifPresent(directive ->
        journal.started(directive.mark().toBuilder().setTimeMs(now().toEpochMilli()).build()));
    return open.isPresent();
  }

  /** False when the directive has ended already. */
  boolean finish(long sequence, DirectiveEnd end) {
    var open = journal.openDirective(sequence);
    open.ifPresent(directive -> store(directive.mark(), end));
    return open.isPresent();
  }

  /**
   * Ends what an earlier run of this program left open. Not before a Welcome, because a state that
   * was rolled back has to number its results in a new epoch.
   */
  void interruptLeftOver() {
    for (SessionJournal.OpenDirective directive : leftOver) {
      if (journal.openDirective(directive.mark().getSequence()).isEmpty()) {
        continue;
      }
      Instant began = Instant.ofEpochMilli(directive.mark().getTimeMs());
      String detail =
          directive.started()
              ? "was running when the program ended; not run again"
              : "was accepted but not started when the program ended; not run";
      store(
          directive.mark(),
          new DirectiveEnd(
              Outcome.OUTCOME_INTERRUPTED, 0, ByteString.EMPTY, false, began, now(), detail));
    }
    leftOver = List.of();
  }

  /** Keeps a security event for the manager. */
  void event(String code, String detail) {
    // One that does not fit is lost, after a thousand unreported ones.
    var _ =
        journal.event(
            SecurityEvent.newBuilder()
                .setId(new UUID(random.nextLong(), random.nextLong()).toString())
                .setCode(code)
                .setDetail(detail)
                .setTimeMs(now().toEpochMilli())
                .build());
  }

  /** Signs at sending, with the key that the conversation's certificate certifies. */
  static SignedResult signed(StoredResult stored, IssuedIdentity identity) {
    var bytes = stored.getResult().getResult();
    return SignedResult.newBuilder()
        .setResult(bytes)
        .setSignature(
            ByteString.copyFrom(
                Signatures.signP256(identity.key(), RESULT_CONTEXT, bytes.toByteArray())))
        .build();
  }

  private void store(DirectiveMark mark, DirectiveEnd end) {
    long record = journal.nextRecordSequence();
    // A manager that takes nothing must not fill this host's memory.
    boolean cut =
        end.output().size() > CUT_OUTPUT
            && journal.resultBytes() + end.output().size() > SessionTimings.RESULT_BACKLOG_BYTES;
    var result =
        DirectiveResult.newBuilder()
            .setDirectiveId(mark.getDirectiveId())
            .setDirectiveSequence(mark.getSequence())
            .setAgent(self.uri())
            .setEpoch(journal.epoch())
            .setRecordSequence(record)
            .setOutcome(end.outcome())
            .setExitStatus(end.exitStatus())
            .setOutput(cut ? end.output().substring(0, CUT_OUTPUT) : end.output())
            .setOutputTruncated(end.outputTruncated() || cut)
            .setStartedMs(end.started().toEpochMilli())
            .setFinishedMs(end.finished().toEpochMilli())
            .setDetail(end.detail())
            .build();
    journal.result(
        StoredResult.newBuilder()
            .setDirectiveSequence(mark.getSequence())
            .setEpoch(journal.epoch())
            .setRecordSequence(record)
            .setResult(SignedResult.newBuilder().setResult(result.toByteString()))
            .build());
  }
}
