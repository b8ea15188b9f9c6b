package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.RevocationList;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerCheck;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a manager changes of a node's membership over a session: its certificates, the roots it
 * trusts, who is revoked (T3). Each is checked, then stored, before anything uses it.
 *
 * <p>Threading: used by the session's thread. Failure: what can't be stored ends the session for
 * good ({@link UncheckedIOException}); what does not pass the check is told as a security event.
 */
final class MemberUpdates {
  private static final Logger log = LoggerFactory.getLogger(NodeSession.class);

  private final NodeSession.Parts parts;
  private final NodeLedger ledger;
  private final BiConsumer<String, String> securityEvents;

  MemberUpdates(
      NodeSession.Parts parts, NodeLedger ledger, BiConsumer<String, String> securityEvents) {
    this.parts = parts;
    this.ledger = ledger;
    this.securityEvents = securityEvents;
  }

  /** Whether the certificate is stored and in use. */
  boolean renewed(
      IssuedIdentity identity, List<X509Certificate> retired, List<X509Certificate> offered) {
    if (!isOurs(identity)) {
      return false;
    }
    store(
        "the renewed certificate",
        () -> {
          parts.member().renew(identity, retired, offered);
          return true;
        });
    log.info("certificate renewed, valid until {}", identity.expires());
    return true;
  }

  void renewedRsa(IssuedIdentity identity) {
    if (!isOurs(identity)) {
      return;
    }
    store(
        "the RSA certificate",
        () -> {
          parts.member().renewRsa(identity);
          return true;
        });
    log.info("RSA certificate for older suites, valid until {}", identity.expires());
  }

  /** Whether other roots are trusted now. */
  boolean roots(List<X509Certificate> retired, List<X509Certificate> offered) {
    return store("the fleet's roots", () -> parts.member().useRoots(retired, offered));
  }

  /** Whether the list is a newer one. */
  boolean revocations(RevocationList list) {
    return store(
        "the revocation list",
        () -> parts.revocations().update(list, parts.member().verifier(), ledger.now()));
  }

  /** Fingerprints of the roots that are trusted. */
  List<ByteString> trusted() {
    return parts.member().anchors().roots().stream()
        .map(root -> ByteString.copyFrom(Fingerprints.sha256(root)))
        .toList();
  }

  private boolean isOurs(IssuedIdentity identity) {
    if (parts.member().verifier().check(identity.chain(), ledger.self()::equals)
        instanceof PeerCheck.Refused(String code, String detail)) {
      securityEvents.accept("renewal.refused", code + ": " + detail);
      return false;
    }
    return true;
  }

  @FunctionalInterface
  private interface Storing {
    boolean run() throws IOException;
  }

  private static boolean store(String what, Storing work) {
    try {
      return work.run();
    } catch (IOException e) {
      throw new UncheckedIOException("failed to store " + what, e);
    }
  }
}
