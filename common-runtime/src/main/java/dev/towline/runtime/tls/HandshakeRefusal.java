package dev.towline.runtime.tls;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Why a peer and a profile have no TLS in common, and what to do about it (T2).
 *
 * @param offered versions and suites of the peer
 */
public record HandshakeRefusal(String offered, String accepted, String remedy) {
  private static final int MOST_SUITES = 8;

  /** Empty when nothing of what the peer offers is the matter. */
  public static Optional<HandshakeRefusal> of(ClientHello hello, TlsProfile profile) {
    if (fits(hello, profile)) {
      return Optional.empty();
    }
    return Optional.of(
        new HandshakeRefusal(
            offered(hello, profile),
            "profile %s accepts %s%s"
                .formatted(
                    profile.label(),
                    profile.accepts(),
                    profile.groups().isEmpty()
                        ? ""
                        : ", over " + String.join(", ", profile.groups())),
            remedy(hello, profile)));
  }

  /**
   * What the end that dialled makes of the alert it was sent; empty when the alert is about
   * something else, such as a certificate.
   */
  public static Optional<String> ofAlert(Throwable failure, TlsProfile profile) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      String text = String.valueOf(t.getMessage()).toLowerCase(Locale.ROOT);
      if (text.contains("handshake_failure")
          || text.contains("protocol_version")
          || text.contains("handshake failure")
          || text.contains("insufficient_security")
          || text.contains("unsupported_protocol")
          || text.contains("no appropriate protocol")
          || text.contains("wrong_version_number")) {
        return Optional.of(
            "no TLS in common: this end offered %s (profile %s); the log of the other end says what"
                    .formatted(profile.accepts(), profile.label())
                + " that one accepts: give both ends the same tls-profile, or update the older"
                + " one");
      }
    }
    return Optional.empty();
  }

  private static boolean fits(ClientHello hello, TlsProfile profile) {
    boolean group =
        profile.groups().isEmpty()
            || hello.groups().isEmpty()
            || !Collections.disjoint(hello.groups(), profile.groups());
    return group
        && profile.protocols().stream()
            .filter(hello.protocols()::contains)
            .anyMatch(protocol -> !Collections.disjoint(hello.suites(), profile.suites(protocol)));
  }

  private static String offered(ClientHello hello, TlsProfile profile) {
    List<String> suites = new ArrayList<>(hello.suites());
    int more = suites.size() - MOST_SUITES;
    String listed =
        more > 0
            ? String.join(", ", suites.subList(0, MOST_SUITES)) + " and " + more + " more"
            : suites.isEmpty() ? "no suite" : String.join(", ", suites);
    String offered = String.join(", ", hello.protocols()) + " with " + listed;
    return profile.groups().isEmpty() || hello.groups().isEmpty()
        ? offered
        : offered + ", over " + String.join(", ", hello.groups());
  }

  private static String remedy(ClientHello hello, TlsProfile profile) {
    for (TlsProfile wider : List.of(TlsProfile.STRONG, TlsProfile.COMPATIBLE)) {
      if (wider.ordinal() > profile.ordinal() && fits(hello, wider)) {
        return "update the peer to TLS 1.3, or set tls-profile: "
            + wider.label()
            + " here, which accepts it";
      }
    }
    if (!hello.protocols().contains("TLSv1.2") && !hello.protocols().contains("TLSv1.3")) {
      return "no profile accepts a version before TLS 1.2: update the peer";
    }
    if (!hello.suites().isEmpty()
        && hello.suites().stream().allMatch(suite -> suite.startsWith("TLS_RSA_WITH_"))) {
      return "no profile accepts key exchange by static RSA: switch suites with ECDHE on at the"
          + " peer, or update it";
    }
    return "switch one of the accepted suites on at the peer, or update it";
  }

  @Override
  public String toString() {
    return "peer offered " + offered + "; " + accepted + "; " + remedy;
  }
}
