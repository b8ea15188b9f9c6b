package dev.towline.runtime.spool;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * A queue of records on disk with a quota: when it is full, its oldest segment makes room. Records
 * are read in order, stay until they are acknowledged, and whatever is missing shows up in its
 * place as a {@link SpoolEntry.Gap} with exact counts.
 *
 * <p>Lifecycle: {@link #open} looks at every segment's header and through the newest segment, then
 * {@link #append} and {@link #sync}, {@link #read} and {@link #ack}, until {@link #close}.
 *
 * <p>Threading: not thread-safe; one owner.
 *
 * <p>Failure: what was appended is safe once {@link #sync} has returned. When append or sync
 * throws, nothing since the last sync counts as written, its sequences are used again, and the
 * spool can go on, unless {@link #isBroken}: then only opening it again helps. A damaged record
 * costs itself.
 */
public final class Spool implements AutoCloseable {
  private static final int BUFFER = 1 << 20;

  private final SpoolFiles files;
  private final int segmentBytes;
  private long quota;

  private final NavigableMap<Long, Slot> segments = new TreeMap<>();
  private final ByteBuffer buffer;
  private final CRC32C crc = new CRC32C();

  // The writer. Positions are those of the active segment.
  private SpoolFiles.@Nullable SpoolFile active;
  private @Nullable Slot newest;
  private long total;
  private long nextSequence;
  private long end;
  private long[] written;
  private long syncedNext;
  private long syncedEnd;
  private long[] syncedWritten;
  private boolean broken;

  // The reader.
  private @Nullable SegmentReader reader;
  private long readerBase = -1;
  private Mark read;
  private Mark acked;
  private Tally lost;
  private long savedCursor;
  private final Deque<InFlight> inFlight = new ArrayDeque<>();

  /**
   * @param quotaBytes what all files together may have; at least two segments
   * @param segmentBytes what one file may have
   * @param bufferBytes what is collected before it is written
   */
  public record Options(long quotaBytes, int segmentBytes, int bufferBytes) {
    public Options {
      if (segmentBytes < 2 * Segment.HEADER || quotaBytes < 2L * segmentBytes) {
        throw new IllegalArgumentException(
            "spool quota: %d bytes (expected: at least two segments of %d)"
                .formatted(quotaBytes, segmentBytes));
      }
    }

    public Options(long quotaBytes, int segmentBytes) {
      this(quotaBytes, segmentBytes, BUFFER);
    }
  }

  private static final class Slot {
    final Segment segment;
    long size;

    Slot(Segment segment, long size) {
      this.segment = segment;
      this.size = size;
    }
  }

  /**
   * A place between two records: what was passed up to it, and where in which segment the next one
   * is; a negative base when that has to be looked for.
   */
  private record Mark(long sequence, Tally passed, long base, long offset) {}

  private record InFlight(SpoolEntry entry, Mark after) {}

  private Spool(SpoolFiles files, Options options, SpoolState state) {
    this.files = files;
    this.segmentBytes = options.segmentBytes();
    this.quota = options.quotaBytes();
    this.buffer = ByteBuffer.allocate(options.bufferBytes());
    this.acked = new Mark(state.cursor(), state.passed(), -1, 0);
    this.read = acked;
    this.lost = state.lost();
    this.savedCursor = state.cursor();
    this.written = state.passed().counts();
    this.syncedWritten = written;
  }

  public static Spool open(SpoolFiles files, Options options) throws IOException {
    Optional<SpoolState> state = SpoolState.load(files);
    var spool = new Spool(files, options, state.orElse(SpoolState.START));
    spool.recover(state.isPresent());
    return spool;
  }

  private void recover(boolean stateKnown) throws IOException {
    TreeMap<Long, String> names = new TreeMap<>();
    for (String name : files.list()) {
      Segment.baseOf(name).ifPresent(base -> names.put(base, name));
    }
    for (var found : names.entrySet()) {
      boolean last = found.getKey().equals(names.lastKey());
      try (SpoolFiles.SpoolFile file = files.open(found.getValue())) {
        Optional<Segment> header = header(found.getValue(), found.getKey(), file, last);
        if (header.isPresent()) {
          add(new Slot(header.get(), file.size()));
        } else {
          // A torn header has nothing behind it; behind a damaged one, the neighbours count.
          files.delete(found.getValue());
        }
      }
    }
    if (segments.isEmpty()) {
      if (!stateKnown) {
        // From the first record on there is a cursor: without one, what is missing is not known.
        SpoolState.START.save(files);
      }
      nextSequence = acked.sequence() + 1;
      written = acked.passed().counts();
      create(Segment.at(nextSequence, acked.passed()));
    } else {
      newest = segments.lastEntry().getValue();
      active = files.open(newest().segment.name());
      scanTail(newest());
    }
    if (!stateKnown && newest().segment.base() > 1) {
      // Better again than never: the receiver knows what it has.
      Segment oldest = segments.firstEntry().getValue().segment;
      acked = new Mark(oldest.base() - 1, oldest.before(), -1, 0);
    }
    if (acked.sequence() >= nextSequence) {
      // The newest files are gone. What they held was dealt with.
      nextSequence = acked.sequence() + 1;
      written = acked.passed().counts();
      active().close();
      create(Segment.at(nextSequence, acked.passed()));
    }
    markSynced();
    rewind();
    dropAcknowledged();
    while (total > quota && segments.size() > 1) {
      dropOldest();
    }
  }

  /** The header of a file; the newest one's is made anew when only that is damaged. */
  private Optional<Segment> header(String name, long base, SpoolFiles.SpoolFile file, boolean last)
      throws IOException {
    Optional<Segment> header = Segment.read(name, base, file);
    if (header.isPresent() || !last || file.size() <= Segment.HEADER) {
      return header;
    }
    Tally before = acked.passed();
    if (!segments.isEmpty()) {
      Slot previous = segments.lastEntry().getValue();
      before = previous.segment.before();
      try (SegmentReader scan =
          new SegmentReader(files.open(previous.segment.name()), previous.segment.base())) {
        SpoolEntry.Kept record = scan.next(previous.size);
        while (record != null) {
          before = before.plus(record.type(), record.items());
          record = scan.next(previous.size);
        }
      }
    }
    Segment made = new Segment(name, base, before);
    file.write(0, made.header());
    file.force();
    return Optional.of(made);
  }

  /** Cuts off what a crash left half written, and counts what is there. */
  private void scanTail(Slot slot) throws IOException {
    var scan = new SegmentReader(active(), slot.segment.base());
    written = slot.segment.before().counts();
    nextSequence = slot.segment.base();
    SpoolEntry.Kept record = scan.next(slot.size);
    while (record != null) {
      // Types of what was stepped over are not known any more.
      written[0] += record.sequence() - nextSequence;
      written[record.type()] += record.items();
      nextSequence = record.sequence() + 1;
      record = scan.next(slot.size);
    }
    end = scan.offset();
    if (end < slot.size) {
      active().truncate(end);
      resize(slot, end);
    }
    // What a crash left in the page cache only must not be read before it is durable.
    active().force();
  }

  /**
   * Adds a record; durable after {@link #sync}.
   *
   * @param type 1 to {@value Tally#MOST}
   * @param items how many items it counts for
   * @return its sequence
   */
  public long append(int type, int items, byte[] payload) throws IOException {
    if (type < 1 || type > Tally.MOST || payload.length > SegmentReader.MAX_PAYLOAD) {
      throw new IllegalArgumentException(
          "record of type %d with %d bytes".formatted(type, payload.length));
    }
    checkUsable();
    int size = SegmentReader.RECORD_HEADER + payload.length;
    try {
      if (end + size > segmentBytes && nextSequence > newest().segment.base()) {
        roll();
      }
      while (total + size > quota && segments.size() > 1) {
        dropOldest();
      }
      if (buffer.remaining() < size) {
        flush();
      }
      if (buffer.remaining() >= size) {
        put(buffer, nextSequence, type, items, payload);
      } else {
        ByteBuffer large = ByteBuffer.allocate(size);
        put(large, nextSequence, type, items, payload);
        writeOut(large.flip(), end);
      }
    } catch (IOException e) {
      undo();
      throw e;
    }
    written[type] += items;
    end += size;
    resize(newest(), end);
    return nextSequence++;
  }

  private void put(ByteBuffer into, long sequence, int type, int items, byte[] payload) {
    int start = into.position();
    into.putInt(payload.length).putInt(0).putLong(sequence).put((byte) type).putInt(items);
    into.put(payload);
    crc.reset();
    int at = into.arrayOffset() + start;
    crc.update(into.array(), at, 4);
    crc.update(into.array(), at + 8, SegmentReader.RECORD_HEADER - 8 + payload.length);
    into.putInt(start + 4, (int) crc.getValue());
  }

  /** Returns when everything appended so far is on the disk. */
  public void sync() throws IOException {
    checkUsable();
    if (syncedNext == nextSequence) {
      return;
    }
    try {
      flush();
      active().force();
    } catch (IOException e) {
      undo();
      throw e;
    }
    markSynced();
  }

  /**
   * The next entries after those read before, in order; none when there are none. A gap comes alone
   * and not before everything read earlier is acknowledged, because only then its counts are final.
   *
   * @param maxBytes about as many bytes of payload; at least one record
   */
  public List<SpoolEntry> read(int maxBytes) throws IOException {
    List<SpoolEntry> entries = new ArrayList<>();
    int bytes = 0;
    while (bytes < maxBytes) {
      SpoolEntry entry = readNext();
      if (entry == null) {
        break;
      }
      entries.add(entry);
      inFlight.add(new InFlight(entry, read));
      if (!(entry instanceof SpoolEntry.Kept kept)) {
        break;
      }
      bytes += kept.payload().length;
    }
    return entries;
  }

  private @Nullable SpoolEntry readNext() throws IOException {
    while (true) {
      Slot slot = slotOf(read.sequence() + 1);
      if (slot == null) {
        return null;
      }
      Segment segment = slot.segment;
      if (read.base() != segment.base()) {
        // Into another segment: its header tells whether something lies between.
        Tally missing = segment.before().beyond(read.passed());
        if (segment.base() > read.sequence() + 1 || atStart(segment) && !missing.isNone()) {
          if (!inFlight.isEmpty()) {
            return null;
          }
          long after = read.sequence();
          long last = Math.max(segment.base() - 1, after);
          read = new Mark(last, segment.before(), segment.base(), Segment.HEADER);
          return new SpoolEntry.Gap(last, after, missing);
        }
        findPlace(slot);
      }
      boolean isActive = slot == newest;
      long limit = isActive ? syncedEnd : slot.size;
      SegmentReader from = readerOf(segment);
      SpoolEntry.Kept record = from.next(limit);
      if (record != null) {
        read =
            new Mark(
                record.sequence(),
                read.passed().plus(record.type(), record.items()),
                segment.base(),
                from.offset());
        return record;
      }
      if (isActive) {
        return null;
      }
      Map.Entry<Long, Slot> following = segments.higherEntry(segment.base());
      if (following == null) {
        return null;
      }
      // The rest of it can't be read, or it is at its end.
      Segment next = following.getValue().segment;
      Tally missing = next.before().beyond(read.passed());
      long after = read.sequence();
      if (!missing.isNone() && !inFlight.isEmpty()) {
        return null;
      }
      closeReader();
      read = new Mark(next.base() - 1, next.before(), next.base(), Segment.HEADER);
      if (!missing.isNone()) {
        return new SpoolEntry.Gap(next.base() - 1, after, missing);
      }
    }
  }

  private boolean atStart(Segment segment) {
    return read.sequence() + 1 == segment.base();
  }

  /** The segment in which this sequence is, or the next one that is there. */
  private @Nullable Slot slotOf(long sequence) {
    if (read.base() >= 0 && segments.containsKey(read.base())) {
      return segments.get(read.base());
    }
    var floor = segments.floorEntry(sequence);
    if (floor != null) {
      Long following = segments.higherKey(floor.getKey());
      if (following == null || sequence < following) {
        return floor.getValue();
      }
    }
    var higher = segments.higherEntry(sequence);
    return higher == null ? null : higher.getValue();
  }

  /** Goes to the first record after what was read; only after a start. */
  private void findPlace(Slot slot) throws IOException {
    Segment segment = slot.segment;
    SegmentReader from = readerOf(segment);
    from.seek(Segment.HEADER, segment.base() - 1);
    long limit = slot == newest ? syncedEnd : slot.size;
    long place = Segment.HEADER;
    long last = segment.base() - 1;
    while (last < read.sequence()) {
      SpoolEntry.Kept record = from.next(limit);
      if (record == null || record.sequence() > read.sequence()) {
        break;
      }
      place = from.offset();
      last = record.sequence();
    }
    from.seek(place, last);
    read = new Mark(read.sequence(), read.passed(), segment.base(), place);
  }

  private SegmentReader readerOf(Segment segment) throws IOException {
    SegmentReader open = reader;
    if (open == null || readerBase != segment.base()) {
      closeReader();
      open = new SegmentReader(files.open(segment.name()), segment.base());
      if (read.base() == segment.base()) {
        open.seek(read.offset(), read.sequence());
      }
      reader = open;
      readerBase = segment.base();
    }
    return open;
  }

  private void closeReader() {
    if (reader != null) {
      reader.close();
      reader = null;
      readerBase = -1;
    }
  }

  /** Everything that was read up to this sequence has been dealt with. */
  public void ack(long sequence) throws IOException {
    boolean leftSegment = false;
    while (!inFlight.isEmpty() && inFlight.peek().entry().sequence() <= sequence) {
      InFlight done = inFlight.remove();
      leftSegment |= acked.base() != done.after().base();
      acked = done.after();
      if (done.entry() instanceof SpoolEntry.Gap gap) {
        lost = lost.plus(gap.lost());
      }
    }
    if (leftSegment) {
      saveCursor();
    }
  }

  /** What was read and not acknowledged will be read again. */
  public void rewind() {
    inFlight.clear();
    read = acked;
    closeReader();
  }

  /** Keeps how far the reader came, and gives back the room of what it is done with. */
  public void saveCursor() throws IOException {
    if (acked.sequence() != savedCursor) {
      new SpoolState(acked.sequence(), acked.passed(), lost).save(files);
      savedCursor = acked.sequence();
    }
    dropAcknowledged();
  }

  private void dropAcknowledged() throws IOException {
    boolean any = false;
    while (segments.size() > 1) {
      Long second = segments.higherKey(segments.firstKey());
      if (second == null || savedCursor < second - 1 || read.sequence() < second - 1) {
        break;
      }
      remove(segments.firstEntry().getValue());
      any = true;
    }
    if (any) {
      files.syncDirectory();
    }
  }

  private void dropOldest() throws IOException {
    // What was acknowledged must not count as lost after a crash.
    if (acked.sequence() != savedCursor && acked.sequence() >= segments.firstKey()) {
      try {
        new SpoolState(acked.sequence(), acked.passed(), lost).save(files);
        savedCursor = acked.sequence();
      } catch (IOException e) {
        // A full disk: room comes first, the cursor follows.
      }
    }
    remove(segments.firstEntry().getValue());
    files.syncDirectory();
  }

  private void remove(Slot slot) throws IOException {
    if (readerBase == slot.segment.base()) {
      closeReader();
    }
    files.delete(slot.segment.name());
    segments.remove(slot.segment.base());
    total -= slot.size;
    if (read.base() == slot.segment.base()) {
      read = new Mark(read.sequence(), read.passed(), -1, 0);
    }
    if (acked.base() == slot.segment.base()) {
      acked = new Mark(acked.sequence(), acked.passed(), -1, 0);
    }
  }

  /** The next records go to a new segment; what was appended before is durable. */
  private void roll() throws IOException {
    flush();
    SpoolFiles.SpoolFile full = active();
    full.force();
    markSynced();
    create(Segment.at(nextSequence, new Tally(written)));
    full.close();
    markSynced();
  }

  private void create(Segment segment) throws IOException {
    while (total + Segment.HEADER > quota && segments.size() > 1) {
      dropOldest();
    }
    while (true) {
      SpoolFiles.SpoolFile file = files.open(segment.name());
      try {
        file.truncate(0);
        file.write(0, segment.header());
        file.force();
        files.syncDirectory();
      } catch (IOException e) {
        file.close();
        discard(segment);
        if (segments.size() <= 1) {
          throw e;
        }
        dropOldest();
        continue;
      }
      active = file;
      end = Segment.HEADER;
      newest = new Slot(segment, end);
      add(newest);
      return;
    }
  }

  /** One that is left behind would be taken for the newest after the next start. */
  private void discard(Segment segment) throws IOException {
    try {
      files.delete(segment.name());
      files.syncDirectory();
    } catch (IOException e) {
      broken = true;
      throw e;
    }
  }

  private void add(Slot slot) {
    segments.put(slot.segment.base(), slot);
    total += slot.size;
  }

  private void resize(Slot slot, long size) {
    total += size - slot.size;
    slot.size = size;
  }

  private void flush() throws IOException {
    if (buffer.position() > 0) {
      writeOut(buffer.flip(), end - buffer.remaining());
      buffer.clear();
    }
  }

  /** Writes; on a full disk older segments make room. */
  private void writeOut(ByteBuffer bytes, long position) throws IOException {
    int start = bytes.position();
    while (true) {
      try {
        active().write(position, bytes);
        return;
      } catch (IOException e) {
        bytes.position(start);
        if (segments.size() <= 1) {
          throw e;
        }
        dropOldest();
      }
    }
  }

  private void markSynced() {
    syncedNext = nextSequence;
    syncedEnd = end;
    syncedWritten = written.clone();
  }

  /** Goes back to what is durable. */
  private void undo() {
    buffer.clear();
    nextSequence = syncedNext;
    end = syncedEnd;
    written = syncedWritten.clone();
    try {
      active().truncate(end);
      resize(newest(), end);
    } catch (IOException e) {
      broken = true;
    }
  }

  private Slot newest() {
    return Objects.requireNonNull(newest, "newest segment");
  }

  private SpoolFiles.SpoolFile active() {
    return Objects.requireNonNull(active, "file of the newest segment");
  }

  private void checkUsable() throws IOException {
    if (broken) {
      throw new IOException("the spool can't be written since an earlier failure");
    }
  }

  /** Whether it has to be opened again before it can be used. */
  public boolean isBroken() {
    return broken;
  }

  /** From now on so much; what is too much goes when the next record comes. */
  public void quota(long bytes) {
    quota = Math.max(bytes, 2L * segmentBytes);
  }

  /** Whether something is there that was not read. */
  public boolean hasMore() {
    return read.sequence() + 1 < syncedNext;
  }

  /** The last sequence that was read. */
  public long position() {
    return read.sequence();
  }

  /** The sequence that the next record gets. */
  public long nextSequence() {
    return nextSequence;
  }

  public SpoolStats stats() {
    Tally passed = new Tally(syncedWritten);
    Tally pending = Tally.NONE;
    Segment oldest = segments.firstEntry().getValue().segment;
    if (oldest.base() > acked.sequence() + 1) {
      pending = oldest.before().beyond(acked.passed());
    }
    return new SpoolStats(
        total,
        quota,
        segments.size(),
        passed.beyond(acked.passed()).beyond(pending),
        lost.plus(pending),
        waitingBytes(),
        syncedNext - 1,
        acked.sequence());
  }

  private long waitingBytes() {
    long bytes = 0;
    for (Slot slot : segments.tailMap(Math.max(0, acked.base()), true).values()) {
      bytes += (slot == newest ? syncedEnd : slot.size) - Segment.HEADER;
    }
    return acked.base() < 0 ? bytes : bytes - (acked.offset() - Segment.HEADER);
  }

  /** Writes everything out and keeps the cursor. */
  @Override
  public void close() throws IOException {
    try {
      if (!broken) {
        sync();
        saveCursor();
      }
    } finally {
      abandon();
    }
  }

  /** Lets go of everything as it is, as after a crash. */
  public void abandon() {
    closeReader();
    if (active != null) {
      active.close();
    }
    files.close();
  }
}
