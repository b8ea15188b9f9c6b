package dev.towline.proxy.mirror;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A part of a file, ends included.
 *
 * @param first offset of the first byte
 * @param last offset of the last byte
 */
record ByteRange(long first, long last) {
  private static final Pattern HEADER = Pattern.compile("bytes=(\\d{0,18})-(\\d{0,18})");

  long length() {
    return last - first + 1;
  }

  /** What a request asks for. */
  sealed interface Wish {
    /** No range, or one that isn't understood: the whole file, as the standard allows. */
    record Whole() implements Wish {}

    record Part(ByteRange range) implements Wish {}

    /** Beyond the end. */
    record Unsatisfiable() implements Wish {}
  }

  static Wish parse(@Nullable String header, long size) {
    Optional<Matcher> matcher =
        Optional.ofNullable(header).map(HEADER::matcher).filter(Matcher::matches);
    if (matcher.isEmpty()) {
      return new Wish.Whole();
    }
    String from = matcher.get().group(1);
    String to = matcher.get().group(2);
    if (from.isEmpty() && to.isEmpty()) {
      return new Wish.Whole();
    }
    if (from.isEmpty()) {
      long suffix = Math.min(Long.parseLong(to), size);
      return suffix == 0
          ? new Wish.Unsatisfiable()
          : new Wish.Part(new ByteRange(size - suffix, size - 1));
    }
    long first = Long.parseLong(from);
    long last = to.isEmpty() ? size - 1 : Math.min(Long.parseLong(to), size - 1);
    if (first >= size) {
      return new Wish.Unsatisfiable();
    }
    return last < first ? new Wish.Whole() : new Wish.Part(new ByteRange(first, last));
  }
}
