package dev.towline.runtime.updates;

/**
 * Something a source of updates gave can't be used. The source is left for the next one; what was
 * trusted before stays.
 */
public final class UpdateRefused extends Exception {
  private static final long serialVersionUID = 1L;

  private final Reason reason;

  public UpdateRefused(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  /** What is wrong with it. */
  public enum Reason {
    /** Not signed by enough of the right keys, or another content than what was signed. */
    TAMPERED,
    /** Shorter than announced. */
    TRUNCATED,
    /** More than announced, or more than there may ever be. */
    OVERSIZED,
    /** Older than what was seen before. */
    ROLLED_BACK,
    /** Past its date: the source may hide what is new. */
    EXPIRED,
    /** Files of different publications. */
    MIXED,
    /** Metadata of another kind than the one asked for. */
    WRONG_TYPE,
    /** Not what the format says. */
    MALFORMED,
    /** Not there. */
    MISSING,
    /** It comes too slowly. */
    SLOW,
    /** What was trusted before can't be read. */
    STATE_UNREADABLE;

    /** As people and scripts see it. */
    public String label() {
      return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
  }

  public Reason reason() {
    return reason;
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
