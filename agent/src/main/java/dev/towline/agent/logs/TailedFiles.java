package dev.towline.agent.logs;

import dev.towline.proto.state.v1.FilePosition;
import dev.towline.proto.state.v1.FilePositions;
import dev.towline.proto.v1.LogRecord;
import dev.towline.runtime.identity.DurableFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The configured log files and how far they were read, which is kept behind the records it stands
 * for. Threading: not thread-safe.
 */
public final class TailedFiles implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TailedFiles.class);

  private final Path kept;
  private final Map<String, FileTail> tails = new LinkedHashMap<>();

  /** As they are in {@link #kept}. */
  private List<FilePosition> safe;

  public TailedFiles(List<Path> files, Path kept) throws IOException {
    this.kept = kept;
    FilePositions known =
        Files.exists(kept)
            ? FilePositions.parseFrom(Files.readAllBytes(kept))
            : FilePositions.getDefaultInstance();
    this.safe = known.getPositionsList();
    for (Path file : files) {
      Optional<FilePosition> position =
          safe.stream().filter(p -> p.getPath().equals(file.toString())).findFirst();
      tails.put(file.toString(), new FileTail(file, position));
    }
  }

  /** From now on these files; one that is new begins where it was left, else at its end. */
  void follow(Collection<Path> files) {
    Set<String> wanted = new LinkedHashSet<>();
    files.forEach(file -> wanted.add(file.toString()));
    tails
        .entrySet()
        .removeIf(tail -> {
          boolean over = !wanted.contains(tail.getKey());
          if (over) {
            tail.getValue().close();
          }
          return over;
        });
    for (String path : wanted) {
      tails.computeIfAbsent(
          path,
          _ ->
              new FileTail(
                  Path.of(path), safe.stream().filter(p -> p.getPath().equals(path)).findFirst()));
    }
  }

  boolean isEmpty() {
    return tails.isEmpty();
  }

  /** Batches that were kept say how far they had come. */
  void restored(List<FilePosition> positions) {
    for (FilePosition position : positions) {
      FileTail tail = tails.get(position.getPath());
      if (tail != null) {
        tails.put(
            position.getPath(), new FileTail(Path.of(position.getPath()), Optional.of(position)));
      }
    }
    if (!positions.isEmpty()) {
      safe = positions();
    }
  }

  /** Adds what came to the records; true when a file has more. */
  boolean read(long nowMs, List<LogRecord> into) {
    boolean more = false;
    for (FileTail tail : tails.values()) {
      try {
        List<String> lines = tail.read();
        more |= !lines.isEmpty();
        for (String line : lines) {
          into.add(
              LogRecord.newBuilder()
                  .setTimeMs(nowMs)
                  .setLevel("INFO")
                  .setSource(tail.source())
                  .setMessage(LogLines.shortened(line))
                  .build());
        }
      } catch (IOException e) {
        log.debug("log file {} can't be read: {}", tail.source(), e.getMessage());
      }
    }
    return more;
  }

  List<FilePosition> positions() {
    return tails.values().stream().map(FileTail::position).toList();
  }

  /** What was read so far is safe. */
  void keepPositions() throws IOException {
    List<FilePosition> now = positions();
    if (!now.equals(safe)) {
      DurableFiles.replace(
          kept, FilePositions.newBuilder().addAllPositions(now).build().toByteArray());
      safe = now;
    }
  }

  /** What was read since {@link #keepPositions} was not kept: it is read again. */
  void back() {
    for (FilePosition position : safe) {
      FileTail tail = tails.get(position.getPath());
      if (tail != null) {
        tail.position(position);
      }
    }
  }

  @Override
  public void close() {
    tails.values().forEach(FileTail::close);
  }
}
