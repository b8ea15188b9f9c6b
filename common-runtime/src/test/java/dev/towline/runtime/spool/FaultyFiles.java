package dev.towline.runtime.spool;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

/**
 * A disk that keeps what a real one promises and nothing more: after {@link #crash} unforced writes
 * are there in part, unsynced names are there or not. It can be full, fail, and damage bytes.
 */
final class FaultyFiles implements SpoolFiles {
  /** The process dies here. */
  static final class Killed extends RuntimeException {}

  private final Random random;
  private final Map<String, Content> now = new TreeMap<>();
  private final Map<String, Content> durableNames = new TreeMap<>();
  private final Map<String, byte[]> small = new HashMap<>();
  long capacity = Long.MAX_VALUE;
  int killIn = Integer.MAX_VALUE;
  int failIn = Integer.MAX_VALUE;

  FaultyFiles(Random random) {
    this.random = random;
  }

  private static final class Content {
    byte[] seen = new byte[0];
    byte[] durable = new byte[0];

    void resize(int size) {
      seen = Arrays.copyOf(seen, size);
    }
  }

  private void step() throws IOException {
    if (--killIn <= 0) {
      throw new Killed();
    }
    if (--failIn == 0) {
      throw new IOException("injected failure");
    }
  }

  private long used() {
    return now.values().stream().mapToLong(content -> content.seen.length).sum();
  }

  @Override
  public List<String> list() {
    return List.copyOf(now.keySet());
  }

  @Override
  public SpoolFile open(String name) throws IOException {
    if (!now.containsKey(name)) {
      step();
      now.put(name, new Content());
    }
    return new File(now.get(name));
  }

  @Override
  public void delete(String name) throws IOException {
    step();
    now.remove(name);
  }

  @Override
  public void syncDirectory() throws IOException {
    step();
    durableNames.clear();
    durableNames.putAll(now);
  }

  @Override
  public void replace(String name, byte[] content) throws IOException {
    if (used() + content.length > capacity) {
      throw new IOException("no space left on device");
    }
    if (killIn == 1 && random.nextBoolean()) {
      small.put(name, content.clone());
    }
    step();
    small.put(name, content.clone());
    // The rename is made durable by syncing the directory.
    durableNames.clear();
    durableNames.putAll(now);
  }

  @Override
  public Optional<byte[]> read(String name) {
    return Optional.ofNullable(small.get(name));
  }

  @Override
  public void close() {}

  /** What the next start finds. */
  void crash() {
    killIn = Integer.MAX_VALUE;
    failIn = Integer.MAX_VALUE;
    Map<String, Content> after = new TreeMap<>();
    for (var name : durableNames.entrySet()) {
      if (now.get(name.getKey()) == name.getValue() || random.nextBoolean()) {
        after.put(name.getKey(), name.getValue());
      }
    }
    for (var name : now.entrySet()) {
      if (durableNames.get(name.getKey()) != name.getValue() && random.nextBoolean()) {
        after.put(name.getKey(), name.getValue());
      }
    }
    now.clear();
    now.putAll(after);
    now.values().forEach(this::tear);
    durableNames.clear();
    durableNames.putAll(now);
  }

  /** Some of what was not forced is there, some is not, and some of it is rubbish. */
  private void tear(Content content) {
    byte[] seen = content.seen;
    byte[] durable = content.durable;
    int same = 0;
    while (same < Math.min(seen.length, durable.length) && seen[same] == durable[same]) {
      same++;
    }
    byte[] after;
    if (random.nextInt(3) == 0 || seen.length < durable.length) {
      after = random.nextBoolean() ? seen : durable;
    } else {
      int kept = same + random.nextInt(seen.length - same + 1);
      after = Arrays.copyOf(seen, random.nextBoolean() ? kept : seen.length);
      for (int i = kept; i < after.length; i++) {
        after[i] = random.nextInt(4) == 0 ? (byte) random.nextInt() : 0;
      }
    }
    content.seen = after.clone();
    content.durable = after.clone();
  }

  /** Turns one byte of one file; false when there is nothing to damage. */
  boolean damage() {
    List<Content> candidates =
        now.values().stream().filter(content -> content.durable.length > 0).toList();
    if (candidates.isEmpty()) {
      return false;
    }
    Content content = candidates.get(random.nextInt(candidates.size()));
    int at = random.nextInt(content.durable.length);
    content.durable[at] ^= (byte) (1 + random.nextInt(255));
    content.seen[at] = content.durable[at];
    return true;
  }

  private final class File implements SpoolFile {
    private final Content content;

    File(Content content) {
      this.content = content;
    }

    @Override
    public long size() {
      return content.seen.length;
    }

    @Override
    public void write(long position, ByteBuffer bytes) throws IOException {
      int length = bytes.remaining();
      int growth = (int) Math.max(0, position + length - content.seen.length);
      boolean full = used() + growth > capacity;
      int part = full ? random.nextInt(length + 1) : length;
      boolean dies = killIn == 1;
      if (dies) {
        part = random.nextInt(length + 1);
      }
      content.resize((int) Math.max(content.seen.length, position + part));
      bytes.get(content.seen, (int) position, part);
      if (full) {
        throw new IOException("no space left on device");
      }
      step();
    }

    @Override
    public int read(long position, ByteBuffer into) {
      int count = (int) Math.min(into.remaining(), content.seen.length - position);
      if (count <= 0) {
        return 0;
      }
      into.put(content.seen, (int) position, count);
      return count;
    }

    @Override
    public void truncate(long size) throws IOException {
      step();
      if (size < content.seen.length) {
        content.resize((int) size);
      }
    }

    @Override
    public void force() throws IOException {
      step();
      content.durable = content.seen.clone();
    }

    @Override
    public void close() {}
  }
}
