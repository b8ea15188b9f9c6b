package dev.towline.proxy.mirror;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Signatures;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whom a manager has let see a tree, so that copies are for nobody else (U6). The manager is asked
 * again after a minute; while it is away, those whom it let in last are let in, after a restart as
 * well. What is kept is no password but a keyed hash of it.
 *
 * <p>Threading: safe for use by several threads. Failure: what can't be kept counts until the end
 * of the process.
 */
final class Admissions {
  private static final Logger log = LoggerFactory.getLogger(Admissions.class);
  private static final long FRESH_NANOS = Duration.ofSeconds(60).toNanos();
  private static final String CONTEXT = "towline mirror admission v1";
  private static final int MOST = 256;
  private static final int SALT = 32;

  private final Path file;
  private final LongSupplier nanoTime;
  private final byte[] salt;
  private final Map<String, Optional<Long>> judged = new LinkedHashMap<>();

  Admissions(Path file, LongSupplier nanoTime, SecureRandom random) throws IOException {
    this.file = file;
    this.nanoTime = nanoTime;
    List<String> lines = lines(file);
    if (lines.isEmpty()) {
      salt = new byte[SALT];
      random.nextBytes(salt);
    } else {
      salt = HexFormat.of().parseHex(lines.getFirst());
      lines.subList(1, lines.size()).forEach(key -> judged.put(key, Optional.empty()));
    }
  }

  private static List<String> lines(Path file) throws IOException {
    try {
      return Files.readAllLines(file);
    } catch (NoSuchFileException _) {
      return List.of();
    }
  }

  /**
   * @param authorization as the request has it; empty for none
   */
  synchronized void admitted(String tree, String authorization) {
    String key = key(tree, authorization);
    Optional<Long> before = judged.remove(key);
    judged.put(key, Optional.of(nanoTime.getAsLong()));
    if (judged.size() > MOST) {
      judged.remove(judged.keySet().iterator().next());
    }
    if (before == null) {
      keep();
    }
  }

  synchronized void refused(String tree, String authorization) {
    if (judged.remove(key(tree, authorization)) != null) {
      keep();
    }
  }

  /** Whether the manager let them in just now. */
  synchronized boolean isFresh(String tree, String authorization) {
    return judged
        .getOrDefault(key(tree, authorization), Optional.empty())
        .filter(at -> nanoTime.getAsLong() - at < FRESH_NANOS)
        .isPresent();
  }

  /** Whether the manager let them in when it was asked last. */
  synchronized boolean isKnown(String tree, String authorization) {
    return judged.containsKey(key(tree, authorization));
  }

  private String key(String tree, String authorization) {
    return HexFormat.of()
        .formatHex(
            Signatures.hmacSha256(
                salt,
                CONTEXT,
                tree.getBytes(StandardCharsets.UTF_8),
                authorization.getBytes(StandardCharsets.UTF_8)));
  }

  private void keep() {
    var text = new StringBuilder(HexFormat.of().formatHex(salt)).append('\n');
    judged.keySet().forEach(key -> text.append(key).append('\n'));
    try {
      DurableFiles.replace(file, text.toString().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      log.warn("{} can't be written: {}", file, e.toString());
    }
  }
}
