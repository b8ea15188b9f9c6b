package dev.towline.manager.updates;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;

/** Failures of the repository. */
final class UpdateErrors {
  static final ErrorCode INVALID = ErrorCode.user("UPDATE_INVALID");
  static final ErrorCode NOT_FOUND = ErrorCode.user("UPDATE_NOT_FOUND");
  static final ErrorCode EXISTS = ErrorCode.user("UPDATE_VERSION_EXISTS");
  static final ErrorCode INCOMPLETE = ErrorCode.user("UPDATE_INCOMPLETE");
  static final ErrorCode KEY_MISSING = ErrorCode.user("UPDATE_KEY_MISSING");
  static final ErrorCode REPOSITORY_FAILED = ErrorCode.external("UPDATE_REPOSITORY_FAILED");

  private UpdateErrors() {}

  static TowlineException invalid(String message, String remedy) {
    return new TowlineException(INVALID, message, remedy);
  }

  static TowlineException notFound(String component, String version) {
    return new TowlineException(
        NOT_FOUND,
        "version %s of component %s: not there".formatted(version, component),
        "towline updates list shows what is");
  }
}
