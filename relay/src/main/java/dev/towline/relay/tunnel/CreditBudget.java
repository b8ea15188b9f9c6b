package dev.towline.relay.tunnel;

/**
 * What all tunnels of a process together may hold beyond their first credit. Not thread-safe:
 * belongs to the loop of its tunnels.
 */
public final class CreditBudget {
  private long limit;
  private long used;

  public CreditBudget(long limit) {
    this.limit = limit;
  }

  /** What is held already stays held. */
  public void limit(long newLimit) {
    limit = newLimit;
  }

  boolean tryTake(int bytes) {
    if (used + bytes > limit) {
      return false;
    }
    used += bytes;
    return true;
  }

  void giveBack(int bytes) {
    used -= bytes;
  }

  public long used() {
    return used;
  }
}
