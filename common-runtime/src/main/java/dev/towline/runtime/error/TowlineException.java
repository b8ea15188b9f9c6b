package dev.towline.runtime.error;

import org.jspecify.annotations.Nullable;

/**
 * A failure with a stable code. The message says what happened and why (lower case, the offending
 * value and what was expected), the remedy what to do about it. Neither holds a secret.
 */
public final class TowlineException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient ErrorCode code;
  private final String remedy;

  public TowlineException(ErrorCode code, String message, String remedy) {
    this(code, message, remedy, null);
  }

  public TowlineException(
      ErrorCode code, String message, String remedy, @Nullable Throwable cause) {
    super(message, cause);
    this.code = code;
    this.remedy = remedy;
  }

  public ErrorCode code() {
    return code;
  }

  public String remedy() {
    return remedy;
  }

  /** What an operator sees: what happened, why, and what to do. */
  public String explanation() {
    return remedy.isEmpty() ? getMessage() : getMessage() + "; " + remedy;
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
