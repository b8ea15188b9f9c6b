package dev.towline.proxy.spool;

import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.spool.SpoolEntry;
import dev.towline.runtime.spool.Tally;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The spool's records as JSON lines in {@code export.log}, rotated into {@code export-N.log.gz},
 * with a limit for all of them together: beyond it the oldest file goes and its records are counted
 * (P8).
 *
 * <p>Every line names the record it came from ({@code n}) and how many lines of it follow, so that
 * a start after a crash takes off what was half written and leaves out what is there already.
 *
 * <p>Lifecycle: {@link #open}, {@link #write} and {@link #sync}, {@link #close}. Threading: one
 * owner. Failure: an I/O error leaves the files as they are; open again.
 */
public final class Exporter implements AutoCloseable {
  static final String FILE = "export.log";

  private static final Logger log = LoggerFactory.getLogger(Exporter.class);
  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** Nothing else comes here: what only the manager can read goes to it in every mode. */
  private static final int TYPES = Keeper.COUNTERS + 1;

  private static final String STATE = "export.state";
  private static final String PREFIX = "export-";
  private static final String SUFFIX = ".log.gz";
  private static final long LARGEST_FILE = 16 << 20;
  private static final int FILES = 16;
  private static final int BUFFER = 256 << 10;

  private final Path directory;
  private final long limit;
  private final TreeMap<Long, Rotated> rotated = new TreeMap<>();
  private final ByteArrayOutputStream buffer = new ByteArrayOutputStream();
  private final FileChannel file;
  private long size;
  private long lastNumber;
  private long lastRotated;
  private long rotatedUpTo;
  private Tally inFile = Tally.NONE;
  private Tally written = Tally.NONE;
  private Tally lost = Tally.NONE;

  /** Opens the files of a directory. */
  @FunctionalInterface
  public interface Opener {
    Exporter open(Path directory, long limit) throws IOException;
  }

  private record Rotated(long bytes, Tally counts) {}

  private Exporter(Path directory, long limit, FileChannel file) {
    this.directory = directory;
    this.limit = limit;
    this.file = file;
  }

  public static Exporter open(Path directory, long limit) throws IOException {
    Files.createDirectories(directory);
    FileChannel file =
        FileChannel.open(
            directory.resolve(FILE),
            StandardOpenOption.CREATE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE);
    var exporter = new Exporter(directory, limit, file);
    try {
      exporter.recover();
      return exporter;
    } catch (IOException | RuntimeException e) {
      exporter.abandon();
      throw e;
    }
  }

  long limit() {
    return limit;
  }

  /** Records that were overwritten here, since the directory was first used. */
  Tally lost() {
    return lost;
  }

  /** Records that were written here, since the directory was first used. */
  Tally written() {
    return written.plus(inFile);
  }

  /** Adds the items of a record; durable after {@link #sync}. */
  void write(SpoolEntry entry) throws IOException {
    if (entry.sequence() <= lastNumber) {
      return;
    }
    switch (entry) {
      case SpoolEntry.Kept kept -> {
        LogBatch batch = LogBatch.parseFrom(SignedLogBatch.parseFrom(kept.payload()).getBatch());
        long sequence = batch.getFirstSequence();
        int more = batch.getRecordsCount();
        for (LogRecord record : batch.getRecordsList()) {
          more--;
          line(json(kept.sequence(), more, batch, sequence++, record));
        }
        inFile = inFile.plus(kept.type(), kept.items());
      }
      case SpoolEntry.Gap gap -> {
        ObjectNode line = JSON.createObjectNode();
        line.put("n", gap.sequence());
        line.put("type", "gap");
        ObjectNode counts = line.putObject("lost");
        for (int type = 0; type < TYPES; type++) {
          if (gap.lost().of(type) > 0) {
            counts.put(Keeper.TYPES.get(type), gap.lost().of(type));
          }
        }
        line(line);
      }
    }
    lastNumber = entry.sequence();
    if (buffer.size() >= BUFFER) {
      flush();
    }
    if (size + buffer.size() >= Math.min(LARGEST_FILE, limit / FILES)) {
      rotate();
    }
  }

  private static ObjectNode json(
      long number, int more, LogBatch batch, long sequence, LogRecord record) {
    ObjectNode line = JSON.createObjectNode();
    line.put("n", number);
    if (more > 0) {
      line.put("more", more);
    }
    line.put("type", record.getCountersCount() > 0 ? "counters" : "log");
    line.put("agent", batch.getAgent());
    line.put("epoch", batch.getEpoch());
    line.put("sequence", sequence);
    line.put("time", Instant.ofEpochMilli(record.getTimeMs()).toString());
    line.put("source", record.getSource());
    if (record.getCountersCount() > 0) {
      ObjectNode counters = line.putObject("counters");
      new TreeMap<>(record.getCountersMap()).forEach(counters::put);
      return line;
    }
    line.put("level", record.getLevel());
    line.put("message", record.getMessage());
    if (!record.getCode().isEmpty()) {
      line.put("code", record.getCode());
    }
    return line;
  }

  private void line(ObjectNode json) {
    buffer.writeBytes(JSON.writeValueAsBytes(json));
    buffer.write('\n');
  }

  /** Returns when everything written is on the disk. */
  void sync() throws IOException {
    flush();
    file.force(false);
  }

  private void flush() throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(buffer.toByteArray());
    while (bytes.hasRemaining()) {
      size += file.write(bytes, size);
    }
    buffer.reset();
  }

  /** The present file becomes a compressed one; the state says from when on that counts. */
  private void rotate() throws IOException {
    sync();
    long number = lastRotated + 1;
    Path target = compressed(number);
    try (FileChannel channel =
            FileChannel.open(
                target,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE);
        InputStream in = new BufferedInputStream(Files.newInputStream(directory.resolve(FILE)))) {
      OutputStream gzip =
          new GZIPOutputStream(new BufferedOutputStream(Channels.newOutputStream(channel)));
      in.transferTo(gzip);
      gzip.close();
    }
    try (FileChannel channel = FileChannel.open(target, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
    rotated.put(number, new Rotated(Files.size(target), inFile));
    lastRotated = number;
    rotatedUpTo = lastNumber;
    written = written.plus(inFile);
    inFile = Tally.NONE;
    List<Path> gone = makeRoom();
    saveState();
    file.truncate(0);
    file.force(true);
    size = 0;
    for (Path old : gone) {
      Files.deleteIfExists(old);
    }
  }

  /** Takes out the oldest files until the next one fits as well; counts what is in them. */
  private List<Path> makeRoom() {
    List<Path> gone = new ArrayList<>();
    long room = limit - Math.min(LARGEST_FILE, limit / FILES);
    while (rotated.size() > 1 && rotated.values().stream().mapToLong(Rotated::bytes).sum() > room) {
      var oldest = rotated.pollFirstEntry();
      lost = lost.plus(oldest.getValue().counts());
      gone.add(compressed(oldest.getKey()));
    }
    if (!gone.isEmpty()) {
      log.info("export files in {} overwritten: {}", directory, gone.size());
    }
    return gone;
  }

  private Path compressed(long number) {
    return directory.resolve(PREFIX + "%08d".formatted(number) + SUFFIX);
  }

  private void saveState() throws IOException {
    ObjectNode state = JSON.createObjectNode();
    state.put("lastRotated", lastRotated);
    state.put("rotatedUpTo", rotatedUpTo);
    state.set("written", tally(written));
    state.set("overwritten", tally(lost));
    ObjectNode files = state.putObject("files");
    rotated.forEach((number, entry) -> {
      ObjectNode one = files.putObject(Long.toString(number));
      one.put("bytes", entry.bytes());
      one.set("records", tally(entry.counts()));
    });
    DurableFiles.replace(
        directory.resolve(STATE), state.toPrettyString().getBytes(StandardCharsets.UTF_8));
  }

  private static ObjectNode tally(Tally tally) {
    ObjectNode counts = JSON.createObjectNode();
    for (int type = 1; type < TYPES; type++) {
      counts.put(Keeper.TYPES.get(type), tally.of(type));
    }
    return counts;
  }

  private static Tally tally(JsonNode counts) {
    Tally tally = Tally.NONE;
    for (int type = 1; type < TYPES; type++) {
      tally = tally.plus(type, counts.path(Keeper.TYPES.get(type)).asLong(0));
    }
    return tally;
  }

  private void recover() throws IOException {
    loadState();
    deleteUnknown();
    size = file.size();
    // Found only when the state came to the disk and the truncation behind it did not.
    long cut = cutAt();
    file.truncate(cut);
    file.force(true);
    size = cut;
    while (rotated.size() > 1
        && rotated.values().stream().mapToLong(Rotated::bytes).sum() > limit) {
      List<Path> gone = makeRoom();
      saveState();
      for (Path old : gone) {
        Files.deleteIfExists(old);
      }
    }
  }

  private void loadState() throws IOException {
    Path path = directory.resolve(STATE);
    if (!Files.exists(path)) {
      return;
    }
    try {
      var state = JSON.readTree(Files.readString(path));
      lastRotated = state.path("lastRotated").asLong(0);
      rotatedUpTo = state.path("rotatedUpTo").asLong(0);
      written = tally(state.path("written"));
      lost = tally(state.path("overwritten"));
      for (Map.Entry<String, JsonNode> entry : state.path("files").properties()) {
        long number = Long.parseLong(entry.getKey());
        if (Files.exists(compressed(number))) {
          rotated.put(
              number,
              new Rotated(
                  entry.getValue().path("bytes").asLong(0),
                  tally(entry.getValue().path("records"))));
        }
      }
    } catch (JacksonException | NumberFormatException e) {
      throw new IOException(path + " can't be read: " + e.getMessage(), e);
    }
    lastNumber = rotatedUpTo;
  }

  /** Files of a rotation that did not come to its end, or that were to be overwritten. */
  private void deleteUnknown() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path path : files.toList()) {
        String name = path.getFileName().toString();
        if (name.startsWith(PREFIX)
            && name.endsWith(SUFFIX)
            && rotated.keySet().stream().noneMatch(n -> compressed(n).equals(path))) {
          Files.delete(path);
        }
      }
    }
  }

  /**
   * Where whole records end: one that is half written will be written again. What is whole is
   * counted.
   */
  private long cutAt() throws IOException {
    long last = -1;
    long start = 0;
    long end = 0;
    boolean whole = true;
    Tally before = Tally.NONE;
    Tally ofLast = Tally.NONE;
    long beforeLast = lastNumber;
    try (InputStream in =
        new BufferedInputStream(Files.newInputStream(directory.resolve(FILE)), BUFFER)) {
      Line line = Line.read(in, 0);
      while (line != null) {
        if (line.number() <= rotatedUpTo) {
          return 0;
        }
        if (line.number() != last) {
          before = before.plus(ofLast);
          ofLast = Tally.NONE;
          beforeLast = last < 0 ? beforeLast : last;
          last = line.number();
          start = line.start();
        }
        ofLast = line.type() > 0 ? ofLast.plus(line.type(), 1) : ofLast;
        whole = line.more() == 0;
        end = line.end();
        line = Line.read(in, line.end());
      }
    }
    inFile = whole ? before.plus(ofLast) : before;
    lastNumber = whole && last >= 0 ? last : beforeLast;
    return whole ? end : start;
  }

  /** A whole line of export.log. */
  private record Line(long number, int more, int type, long start, long end) {
    static @Nullable Line read(InputStream in, long start) throws IOException {
      var bytes = new ByteArrayOutputStream();
      int next = in.read();
      while (next >= 0 && next != '\n') {
        bytes.write(next);
        next = in.read();
      }
      if (next < 0) {
        return null;
      }
      try {
        var json = JSON.readTree(bytes.toByteArray());
        return new Line(
            json.path("n").asLong(-1),
            json.path("more").asInt(0),
            Math.max(0, Keeper.TYPES.indexOf(json.path("type").asString(""))),
            start,
            start + bytes.size() + 1);
      } catch (JacksonException e) {
        // Blocks of zeros that a crash left: nothing after it counts.
        return null;
      }
    }
  }

  @Override
  public void close() throws IOException {
    try {
      sync();
    } finally {
      abandon();
    }
  }

  /** Lets go of the files as they are. */
  void abandon() {
    try {
      file.close();
    } catch (IOException e) {
      log.debug("export: {}", e.getMessage());
    }
  }
}
