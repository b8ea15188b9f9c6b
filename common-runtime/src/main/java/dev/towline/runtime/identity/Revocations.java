package dev.towline.runtime.identity;

/** What is no longer trusted. Implementations are safe to ask from any thread. */
@FunctionalInterface
public interface Revocations {
  Revocations NONE = (identity, serial) -> false;

  /**
   * @param serial lower-case hexadecimal, as {@link Fingerprints#serial} gives it
   */
  boolean isRevoked(NodeIdentity identity, String serial);
}
