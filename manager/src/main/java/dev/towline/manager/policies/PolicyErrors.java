package dev.towline.manager.policies;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;

/** What can be wrong with an order about policies. */
final class PolicyErrors {
  static final ErrorCode NOT_FOUND = ErrorCode.user("POLICY_NOT_FOUND");
  static final ErrorCode EXISTS = ErrorCode.user("POLICY_EXISTS");
  static final ErrorCode INVALID = ErrorCode.user("POLICY_INVALID");
  static final ErrorCode DIRECTION_REFUSED = ErrorCode.user("DIRECTION_REFUSED");
  static final ErrorCode IN_USE = ErrorCode.user("POLICY_IN_USE");

  private PolicyErrors() {}

  static TowlineException notFound(String name) {
    return new TowlineException(
        NOT_FOUND,
        "policy: " + name + " does not exist",
        "see towline policies list, or create it: towline policies create " + name);
  }

  static TowlineException invalid(String message) {
    return new TowlineException(INVALID, message, "correct it and try again");
  }
}
