package dev.towline.agent.logs;

import dev.towline.proto.state.v1.FilePosition;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is appended to one file, line by line, over rotation by renaming or truncating and over
 * restarts. A file that is there when it is first looked at begins at its end. One that lost its
 * name is read on for a while: who writes to it may not know yet.
 *
 * <p>Threading: not thread-safe. Failure: a file that can't be read is tried again.
 */
final class FileTail implements AutoCloseable {
  private static final int CHUNK = 64 << 10;

  /** So many looks bring nothing before a file is left whose name another one has. */
  private static final int QUIET_LOOKS = 2;

  /** And one whose name nobody has: until then it keeps its place on the disk. */
  private static final int QUIET_LOOKS_ALONE = 60;

  private static final int EVER = Integer.MAX_VALUE;

  private final Path path;
  private @Nullable FileChannel channel;
  private String key = "";
  private long offset;
  private boolean looked;
  private int quietLooks;

  /**
   * @param known where it was left; empty when it was never read
   */
  FileTail(Path path, Optional<FilePosition> known) {
    this.path = path;
    known.ifPresent(position -> {
      key = position.getFileKey();
      offset = position.getOffset();
      looked = true;
    });
  }

  String source() {
    return path.toString();
  }

  FilePosition position() {
    return FilePosition.newBuilder()
        .setPath(path.toString())
        .setFileKey(key)
        .setOffset(offset)
        .build();
  }

  /** Goes back to an earlier {@link #position}. */
  void position(FilePosition earlier) {
    if (!earlier.getFileKey().equals(key)) {
      close();
    }
    key = earlier.getFileKey();
    offset = earlier.getOffset();
  }

  /** Whole lines that came since, at most some 64 KiB; none when there are none. */
  List<String> read() throws IOException {
    FileChannel open = open();
    if (open == null) {
      return List.of();
    }
    if (open.size() < offset) {
      offset = 0;
    }
    ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(CHUNK, open.size() - offset));
    int count = bytes.hasRemaining() ? open.read(bytes, offset) : 0;
    int patience = offset + count < open.size() ? EVER : patience();
    quietLooks = patience == EVER ? 0 : quietLooks + 1;
    boolean last = quietLooks > patience;
    List<String> lines = lines(bytes, count, last);
    if (!last && !lines.isEmpty()) {
      quietLooks = 0;
    }
    if (last && lines.isEmpty()) {
      // The one that took its name is new from its beginning.
      close();
      key = "";
      offset = 0;
      quietLooks = 0;
    }
    return lines;
  }

  private @Nullable FileChannel open() throws IOException {
    if (channel != null) {
      return channel;
    }
    FileChannel opened;
    String present;
    try {
      present = keyOf(path);
      opened = FileChannel.open(path, StandardOpenOption.READ);
    } catch (NoSuchFileException e) {
      looked = true;
      return null;
    }
    if (!looked) {
      offset = opened.size();
    } else if (!present.equals(key)) {
      offset = 0;
    }
    looked = true;
    key = present;
    channel = opened;
    return opened;
  }

  /** How many looks that bring nothing it is worth. */
  private int patience() throws IOException {
    try {
      return keyOf(path).equals(key) ? EVER : QUIET_LOOKS;
    } catch (NoSuchFileException e) {
      return QUIET_LOOKS_ALONE;
    }
  }

  private static String keyOf(Path path) throws IOException {
    return Objects.toString(Files.readAttributes(path, BasicFileAttributes.class).fileKey(), "");
  }

  /** Moves the offset behind what is returned. */
  private List<String> lines(ByteBuffer bytes, int count, boolean last) {
    List<String> lines = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < count; i++) {
      boolean tooLong = i - start >= LogLines.LONGEST;
      if (bytes.get(i) == '\n' || tooLong) {
        add(lines, bytes, start, i);
        start = tooLong && bytes.get(i) != '\n' ? i : i + 1;
      }
    }
    if (last && start < count) {
      add(lines, bytes, start, count);
      start = count;
    }
    offset += start;
    return lines;
  }

  private static void add(List<String> lines, ByteBuffer bytes, int from, int to) {
    byte[] line = new byte[to - from];
    bytes.get(from, line);
    String text = new String(line, StandardCharsets.UTF_8).stripTrailing();
    if (!text.isEmpty()) {
      lines.add(text);
    }
  }

  @Override
  public void close() {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      // It was only read.
    }
    channel = null;
  }
}
