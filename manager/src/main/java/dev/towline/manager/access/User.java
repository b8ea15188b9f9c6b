package dev.towline.manager.access;

/**
 * @param passwordHash as {@link PasswordHashes} writes it
 * @param oneTime whether the password is still the one of the first start
 * @param failures wrong passwords in a row
 * @param lockedUntilMs no password is looked at before; 0 when not locked
 */
public record User(
    String name,
    UserRole role,
    String passwordHash,
    boolean oneTime,
    int failures,
    long lockedUntilMs,
    long createdMs) {
  /** Without the hash. */
  @Override
  public String toString() {
    return "User[" + name + ", " + role + "]";
  }
}
