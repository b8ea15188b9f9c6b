package dev.towline.manager.alerts;

/**
 * Something that somebody should look at.
 *
 * @param subject id of the host; empty in a summary
 * @param raisedMs first time
 * @param changedMs last time that it was raised again
 * @param times how often; of a summary, how many alerts it stands for
 * @param clearedMs 0 while it is open
 * @param clearedBy name of who did; empty when it cleared itself
 * @param summary id of the summary that stands for it; 0 when it stands for itself
 */
public record Alert(
    long id,
    AlertKind kind,
    String subject,
    String name,
    String message,
    long raisedMs,
    long changedMs,
    long times,
    long clearedMs,
    String clearedBy,
    long summary) {
  public boolean isSummary() {
    return subject.isEmpty();
  }

  public boolean isOpen() {
    return clearedMs == 0;
  }
}
