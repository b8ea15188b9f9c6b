package dev.towline.relay.tunnel;

/** A range of a stream of bytes whose content is its position; counts what is not given back. */
final class CountedPayload implements Payload {
  static final class Ledger {
    long alive;
  }

  private final Ledger ledger;
  private long from;
  private int size;
  private boolean discarded;

  CountedPayload(Ledger ledger, long from, int size) {
    this.ledger = ledger;
    this.from = from;
    this.size = size;
    ledger.alive++;
  }

  long from() {
    return from;
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public Payload takeFirst(int bytes) {
    CountedPayload first = new CountedPayload(ledger, from, bytes);
    from += bytes;
    size -= bytes;
    return first;
  }

  @Override
  public void discard() {
    if (discarded) {
      throw new AssertionError("discarded twice");
    }
    discarded = true;
    ledger.alive--;
  }
}
