package dev.towline.manager.enrollment;

/**
 * @param secret 32 random bytes; given out once
 */
@SuppressWarnings("ArrayRecordComponent")
public record CreatedToken(EnrollmentToken token, byte[] secret) {
  @Override
  public String toString() {
    return "CreatedToken[" + token.id() + "]";
  }
}
