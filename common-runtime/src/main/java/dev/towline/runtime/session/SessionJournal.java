package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.state.v1.DirectiveMark;
import dev.towline.proto.state.v1.JournalRecord;
import dev.towline.proto.state.v1.ResultsFreed;
import dev.towline.proto.state.v1.StateMark;
import dev.towline.proto.state.v1.StoredResult;
import dev.towline.proto.v1.SecurityEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a node must not forget: the last accepted directive, its epoch, the time floor, directives
 * that have no result yet, and results and security events that the manager has not acknowledged.
 *
 * <p>Lifecycle: {@link #open}, use, {@link #close}. Every change is written at once and durable
 * after {@link #sync}; whoever tells the manager about a change syncs first.
 *
 * <p>Threading: not thread-safe; belongs to the session's thread.
 *
 * <p>Failure: an I/O error is an {@link UncheckedIOException} and ends the node's session loop: a
 * node that can't remember must not act.
 */
public final class SessionJournal implements AutoCloseable {
  private static final long COMPACT_ABOVE = 256 << 10;
  private static final int MAX_EVENTS = 1_000;

  private final RecordLog log;
  private final SortedMap<Long, OpenDirective> open = new TreeMap<>();
  private final NavigableMap<RecordId, StoredResult> results = new TreeMap<>();
  private final Map<String, SecurityEvent> events = new LinkedHashMap<>();
  private StateMark state = StateMark.newBuilder().setEpoch(1).build();
  private long compactAt = COMPACT_ABOVE;
  private long resultBytes;

  private SessionJournal(RecordLog log) {
    this.log = log;
  }

  /** A directive that was accepted and has no result. */
  public record OpenDirective(DirectiveMark mark, boolean started) {}

  /** Names a result: epochs first, then sequences within one. */
  record RecordId(long epoch, long sequence) implements Comparable<RecordId> {
    @Override
    public int compareTo(RecordId other) {
      int byEpoch = Long.compareUnsigned(epoch, other.epoch);
      return byEpoch != 0 ? byEpoch : Long.compareUnsigned(sequence, other.sequence);
    }
  }

  /** Opens the journal at this path; a new one starts with epoch 1 and nothing accepted. */
  public static SessionJournal open(Path file) throws IOException {
    var journal = new SessionJournal(RecordLog.open(file));
    journal.log.read().forEach(journal::apply);
    return journal;
  }

  public long epoch() {
    return state.getEpoch();
  }

  public long lastAccepted() {
    return state.getLastAcceptedDirective();
  }

  public long lastGeneration() {
    return state.getLastGeneration();
  }

  /** What records for the manager are sealed to; empty until a manager said it. */
  public ByteString recordsKey() {
    return state.getRecordsKey();
  }

  /** Milliseconds since 1970 below which the node's clock doesn't count. */
  public long timeFloorMs() {
    return state.getTimeFloorMs();
  }

  /** Accepted directives without a result, in order. */
  public List<OpenDirective> openDirectives() {
    return List.copyOf(open.values());
  }

  /** The open directive of this sequence. */
  public Optional<OpenDirective> openDirective(long sequence) {
    return Optional.ofNullable(open.get(sequence));
  }

  /** Results that the manager has not acknowledged, oldest first. */
  public List<StoredResult> results() {
    return List.copyOf(results.values());
  }

  /** Bytes of the results that the manager has not acknowledged. */
  long resultBytes() {
    return resultBytes;
  }

  /** Unacknowledged results after the given one, oldest first, at most {@code limit}. */
  List<StoredResult> resultsAfter(RecordId last, int limit) {
    return results.tailMap(last, false).values().stream().limit(limit).toList();
  }

  /** Security events that the manager has not acknowledged, oldest first. */
  public List<SecurityEvent> events() {
    return List.copyOf(events.values());
  }

  /** The number of the next result. */
  public long nextRecordSequence() {
    return state.getLastRecordSequence() + 1;
  }

  /** Takes a directive as accepted: its sequence will never be accepted again. */
  public void accepted(DirectiveMark mark) {
    write(JournalRecord.newBuilder().setAccepted(mark).build());
  }

  /** Notes that carrying out has begun. */
  public void started(DirectiveMark mark) {
    write(JournalRecord.newBuilder().setStarted(mark).build());
  }

  /** Keeps a result until {@link #freeResults} and closes its directive. */
  public void result(StoredResult result) {
    write(JournalRecord.newBuilder().setResult(result).build());
  }

  /** Forgets results that the manager has stored. */
  public void freeResults(long epoch, long upTo) {
    boolean any =
        results.values().stream()
            .anyMatch(r ->
                r.getEpoch() == epoch && Long.compareUnsigned(r.getRecordSequence(), upTo) <= 0);
    if (any) {
      write(
          JournalRecord.newBuilder()
              .setResultsFreed(
                  ResultsFreed.newBuilder().setEpoch(epoch).setUpToRecordSequence(upTo))
              .build());
    }
  }

  /** Keeps a security event until {@link #freeEvent}; false when too many wait already. */
  public boolean event(SecurityEvent event) {
    if (events.size() >= MAX_EVENTS) {
      return false;
    }
    write(JournalRecord.newBuilder().setSecurityEvent(event).build());
    return true;
  }

  /** Forgets a security event that the manager has stored. */
  public void freeEvent(String id) {
    if (events.containsKey(id)) {
      write(JournalRecord.newBuilder().setSecurityEventFreed(id).build());
    }
  }

  /** Notes what a Welcome said; without a key the one before stays. */
  public void welcomed(long generation, long managerTimeMs, ByteString recordsKey) {
    write(
        state.toBuilder()
            .setLastGeneration(generation)
            .setRecordsKey(recordsKey.isEmpty() ? state.getRecordsKey() : recordsKey)
            .setTimeFloorMs(Math.max(state.getTimeFloorMs(), managerTimeMs)));
  }

  /** Moves the time floor up. */
  public void raiseTimeFloor(long managerTimeMs) {
    if (managerTimeMs > state.getTimeFloorMs()) {
      write(state.toBuilder().setTimeFloorMs(managerTimeMs));
    }
  }

  /** Starts a new epoch after this state turned out to be older than the manager's knowledge. */
  public void startEpoch(long epoch, long lastAccepted) {
    write(
        state.toBuilder()
            .setEpoch(epoch)
            .setLastRecordSequence(0)
            .setLastAcceptedDirective(Math.max(lastAccepted, state.getLastAcceptedDirective())));
  }

  /** Returns when every change so far is on the disk. */
  public void sync() {
    try {
      log.sync();
    } catch (IOException e) {
      throw new UncheckedIOException("failed to write the session journal", e);
    }
  }

  @Override
  public void close() {
    log.close();
  }

  private void write(StateMark.Builder next) {
    write(JournalRecord.newBuilder().setState(next).build());
  }

  private void write(JournalRecord record) {
    try {
      log.append(record);
      apply(record);
      if (log.size() > compactAt) {
        log.rewrite(snapshot());
        compactAt = Math.max(COMPACT_ABOVE, 2 * log.size());
      }
    } catch (IOException e) {
      throw new UncheckedIOException("failed to write the session journal", e);
    }
  }

  private void apply(JournalRecord record) {
    switch (record.getRecordCase()) {
      case STATE -> state = record.getState();
      case ACCEPTED -> {
        DirectiveMark mark = record.getAccepted();
        open.put(mark.getSequence(), new OpenDirective(mark, false));
        if (mark.getSequence() > state.getLastAcceptedDirective()) {
          state = state.toBuilder().setLastAcceptedDirective(mark.getSequence()).build();
        }
      }
      case STARTED ->
          open.put(record.getStarted().getSequence(), new OpenDirective(record.getStarted(), true));
      case RESULT -> {
        StoredResult result = record.getResult();
        open.remove(result.getDirectiveSequence());
        StoredResult replaced =
            results.put(new RecordId(result.getEpoch(), result.getRecordSequence()), result);
        resultBytes += result.getSerializedSize();
        resultBytes -= replaced == null ? 0 : replaced.getSerializedSize();
        if (result.getEpoch() == state.getEpoch()
            && result.getRecordSequence() > state.getLastRecordSequence()) {
          state = state.toBuilder().setLastRecordSequence(result.getRecordSequence()).build();
        }
      }
      case RESULTS_FREED -> {
        ResultsFreed freed = record.getResultsFreed();
        Map<RecordId, StoredResult> stored =
            results.subMap(
                new RecordId(freed.getEpoch(), 0),
                true,
                new RecordId(freed.getEpoch(), freed.getUpToRecordSequence()),
                true);
        stored.values().forEach(result -> resultBytes -= result.getSerializedSize());
        stored.clear();
      }
      case SECURITY_EVENT ->
          events.put(record.getSecurityEvent().getId(), record.getSecurityEvent());
      case SECURITY_EVENT_FREED -> events.remove(record.getSecurityEventFreed());
      case RECORD_NOT_SET -> {}
    }
  }

  private List<JournalRecord> snapshot() {
    List<JournalRecord> records = new ArrayList<>();
    open.values()
        .forEach(directive ->
            records.add(
                directive.started()
                    ? JournalRecord.newBuilder().setStarted(directive.mark()).build()
                    : JournalRecord.newBuilder().setAccepted(directive.mark()).build()));
    results
        .values()
        .forEach(result -> records.add(JournalRecord.newBuilder().setResult(result).build()));
    events
        .values()
        .forEach(event -> records.add(JournalRecord.newBuilder().setSecurityEvent(event).build()));
    records.add(JournalRecord.newBuilder().setState(state).build());
    return records;
  }
}
