package dev.towline.relay.tunnel;

/**
 * Bytes on their way through a tunnel, wherever they lie. Has one owner at a time; the last one
 * discards it.
 */
public interface Payload {
  int size();

  /** Splits off the first bytes; this payload keeps the rest. */
  Payload takeFirst(int bytes);

  /** Gives the memory back. Called once, by the owner. */
  void discard();
}
