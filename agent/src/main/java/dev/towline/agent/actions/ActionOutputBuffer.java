package dev.towline.agent.actions;

import java.io.ByteArrayOutputStream;

/** Keeps the first bytes of a program's output and notices when there were more. */
final class ActionOutputBuffer {
  private final int limit;
  private final ByteArrayOutputStream kept = new ByteArrayOutputStream();
  private boolean truncated;

  ActionOutputBuffer(int limit) {
    this.limit = limit;
  }

  /** Returns how many of the bytes were kept. */
  synchronized int append(byte[] data, int length) {
    int room = Math.min(length, limit - kept.size());
    kept.write(data, 0, room);
    truncated |= room < length;
    return room;
  }

  synchronized byte[] bytes() {
    return kept.toByteArray();
  }

  synchronized boolean truncated() {
    return truncated;
  }
}
