package dev.towline.manager.access;

/**
 * Who makes a call.
 *
 * @param tokenHash of the token that the call came with
 */
public record Principal(String user, UserRole role, String tokenHash) {
  @Override
  public String toString() {
    return user;
  }
}
