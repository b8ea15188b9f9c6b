package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.CertificateRenewed;
import dev.towline.proto.v1.RenewCertificate;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * When a conversation asks for new certificates, and which answers were asked for: the usual one
 * when half of its life has passed or the CA changed, and an RSA one beside it where older suites
 * are spoken.
 *
 * <p>Threading: the session's thread. Failure: a request without an answer is made again, with a
 * new key; what was not asked for is not taken.
 */
final class Renewals {
  private static final Duration LOOK_AGAIN = Duration.ofHours(1);

  private final IssuedIdentity identity;
  private final SecureRandom random;
  private Supplier<Optional<Instant>> rsaDue = Optional::empty;
  private boolean rsaAtOnce;
  private Instant usualDue;
  private long check;
  private @Nullable KeyPair usualKey;
  private @Nullable KeyPair rsaKey;

  Renewals(IssuedIdentity identity, SecureRandom random) {
    this.identity = identity;
    this.random = random;
    this.usualDue = identity.halfLife();
  }

  /** When an RSA certificate is due; empty when none is wanted. */
  void rsaDue(Supplier<Optional<Instant>> due) {
    rsaDue = due;
  }

  /** Looks at the next tick what is due. */
  void begin(long now) {
    check = now;
  }

  /** The manager wants certificates of its present CA. */
  void atOnce(long now) {
    usualDue = Instant.EPOCH;
    rsaAtOnce = rsaDue.get().isPresent();
    check = now;
  }

  /** When {@link #request} has something to look at again. */
  long deadline() {
    return check;
  }

  /**
   * What is to be asked for now.
   *
   * @param time by the manager's clock
   * @param now nanoseconds of this machine
   */
  Optional<RenewCertificate> request(Instant time, long now) {
    if (now - check < 0) {
      return Optional.empty();
    }
    Instant rsaAt = rsaDue.get().orElse(Instant.MAX);
    boolean usual = !time.isBefore(usualDue);
    boolean rsa = rsaAtOnce || !time.isBefore(rsaAt);
    if (!usual && !rsa) {
      // Looked at again now and then, because the manager's clock may move.
      Instant next = usualDue.isBefore(rsaAt) ? usualDue : rsaAt;
      Duration left = Duration.between(time, next);
      check = now + Math.min(left.toNanos(), LOOK_AGAIN.toNanos());
      return Optional.empty();
    }
    RenewCertificate.Builder wanted = RenewCertificate.newBuilder();
    if (usual) {
      KeyPair key = Keys.newP256(random);
      usualKey = key;
      wanted.setCertificateRequest(ByteString.copyFrom(CertificateRequests.create(key)));
    }
    if (rsa) {
      KeyPair key = Keys.newRsa(random);
      rsaKey = key;
      wanted.setRsaCertificateRequest(ByteString.copyFrom(CertificateRequests.create(key)));
    }
    check = now + SessionTimings.REQUEST_LIMIT.toNanos();
    return Optional.of(wanted.build());
  }

  /** The usual certificate of an answer; empty when it was not asked for. */
  Optional<SessionOutput> usual(CertificateRenewed renewed) {
    var retired = Certificates.readable(renewed.getRetiredRootsList());
    var roots = Certificates.readable(renewed.getRootsList());
    Optional<IssuedIdentity> issued = issued(usualKey, renewed.getChainList());
    if (issued.isEmpty() || roots.isEmpty() || retired.isEmpty()) {
      return Optional.empty();
    }
    usualKey = null;
    // This conversation keeps its certificate; the next one renews again if this came to nothing.
    usualDue = identity.expires();
    return Optional.of(new SessionOutput.Renewed(issued.get(), retired.get(), roots.get()));
  }

  /** The RSA certificate of an answer; empty when it was not asked for. */
  Optional<SessionOutput> rsa(CertificateRenewed renewed) {
    Optional<IssuedIdentity> issued = issued(rsaKey, renewed.getRsaChainList());
    if (issued.isPresent()) {
      rsaKey = null;
      rsaAtOnce = false;
    }
    return issued.map(SessionOutput.RenewedRsa::new);
  }

  private Optional<IssuedIdentity> issued(@Nullable KeyPair key, List<ByteString> ders) {
    Optional<List<X509Certificate>> chain =
        Certificates.readable(ders).filter(certificates -> !certificates.isEmpty());
    if (key == null
        || chain.isEmpty()
        || !chain.get().getFirst().getPublicKey().equals(key.getPublic())) {
      return Optional.empty();
    }
    return Optional.of(new IssuedIdentity(identity.identity(), key.getPrivate(), chain.get()));
  }
}
