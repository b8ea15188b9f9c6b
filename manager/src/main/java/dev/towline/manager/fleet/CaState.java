package dev.towline.manager.fleet;

import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Where the fleet's CA stands.
 *
 * @param active root under which certificates are issued now
 * @param issuing CA that issues them
 * @param other the root to come while it is announced, the one to go while certificates are
 *     changed; empty when there is one root only
 * @param retired roots that are not trusted any more, oldest first
 * @param since when this phase began
 */
public record CaState(
    Phase phase,
    X509Certificate active,
    X509Certificate issuing,
    Optional<X509Certificate> other,
    List<X509Certificate> retired,
    Instant since) {
  public CaState {
    retired = List.copyOf(retired);
  }

  /** How far a change of the root has come. */
  public enum Phase {
    /** One root, nothing under way. */
    STEADY,
    /** Members are told of a new root; certificates are issued under the old one. */
    ANNOUNCED,
    /** Certificates are issued under the new root; the old one is trusted as well. */
    REISSUING,
    /** The change is taken back: certificates are issued under the old root again. */
    ROLLING_BACK;

    /** As it is written on the disk and for people. */
    public String label() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    boolean reissues() {
      return this == REISSUING || this == ROLLING_BACK;
    }
  }

  /** The root that all members shall trust in the end. */
  public X509Certificate target() {
    return phase == Phase.ANNOUNCED ? other.orElse(active) : active;
  }
}
