package dev.towline.proxy.uplink;

/** Bytes that may be held at once. Not thread-safe. */
final class ByteBudget {
  private final long limit;
  private long used;

  ByteBudget(long limit) {
    this.limit = limit;
  }

  boolean hasRoomFor(int bytes) {
    return used + bytes <= limit;
  }

  void take(int bytes) {
    if (!hasRoomFor(bytes)) {
      throw new IllegalStateException(
          "budget: %d of %d bytes used, %d more wanted".formatted(used, limit, bytes));
    }
    used += bytes;
  }

  void give(int bytes) {
    used -= bytes;
    if (used < 0) {
      throw new IllegalStateException("budget: more given back than taken");
    }
  }

  /** From here on nobody is read whose frame has just gone: back-pressure before shedding. */
  boolean pastHalf() {
    return used > limit / 2;
  }

  long used() {
    return used;
  }

  long limit() {
    return limit;
  }
}
