package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.CertificateRenewed;
import dev.towline.proto.v1.RenewCertificate;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.testing.Requirement;
import java.security.PublicKey;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import org.junit.jupiter.api.Test;

@Requirement("T3")
final class RenewalsTest {
  private static final Instant START = Instant.ofEpochSecond(1_000_000_000);
  private static final Duration LIFE = Duration.ofDays(1);

  private final TestFleet fleet = new TestFleet(InstantSource.fixed(START));
  private final IssuedIdentity identity = fleet.issue(Role.AGENT, "a1", LIFE);
  private final Renewals renewals = new Renewals(identity, fleet.random());

  @Test
  void request_beforeHalfOfTheLife_asksNothingAndLooksAgainWithinAnHour() {
    assertThat(renewals.request(START, 0)).isEmpty();
    assertThat(renewals.deadline()).isEqualTo(Duration.ofHours(1).toNanos());
  }

  @Test
  void request_afterHalfOfTheLife_asksAgainOnlyWhenTheAnswerIsOverdue() {
    long limit = SessionTimings.REQUEST_LIMIT.toNanos();

    RenewCertificate first = renewals.request(identity.halfLife(), 0).orElseThrow();
    assertThat(first.getRsaCertificateRequest().isEmpty()).isTrue();
    assertThat(renewals.request(identity.halfLife(), limit - 1)).isEmpty();
    RenewCertificate second = renewals.request(identity.halfLife(), limit).orElseThrow();

    assertThat(key(second)).isNotEqualTo(key(first));
  }

  @Test
  void usual_answerToTheRequest_isTakenOnce() {
    PublicKey key = key(renewals.request(identity.halfLife(), 0).orElseThrow());
    CertificateRenewed answer = answer(key);

    assertThat(renewals.usual(answer))
        .hasValueSatisfying(taken -> {
          var renewed = (SessionOutput.Renewed) taken;
          assertThat(renewed.identity().identity()).isEqualTo(identity.identity());
          assertThat(renewed.identity().leaf().getPublicKey()).isEqualTo(key);
          assertThat(renewed.offered()).isEqualTo(fleet.roots());
        });
    assertThat(renewals.usual(answer)).isEmpty();
    assertThat(renewals.request(identity.halfLife(), SessionTimings.REQUEST_LIMIT.toNanos()))
        .isEmpty();
  }

  @Test
  void usual_certificateOfAnotherKey_isNotTaken() {
    assertThat(renewals.request(identity.halfLife(), 0)).isPresent();

    assertThat(renewals.usual(answer(identity.leaf().getPublicKey()))).isEmpty();
  }

  @Test
  void usual_withoutARequest_isNotTaken() {
    assertThat(renewals.usual(answer(identity.leaf().getPublicKey()))).isEmpty();
  }

  @Test
  void atOnce_olderSuitesAreSpoken_asksForBoth() {
    renewals.rsaDue(() -> Optional.of(Instant.MAX));
    renewals.atOnce(5);

    RenewCertificate wanted = renewals.request(START, 5).orElseThrow();
    PublicKey rsa =
        CertificateRequests.verifiedRsaKey(wanted.getRsaCertificateRequest().toByteArray());
    var answer =
        CertificateRenewed.newBuilder()
            .addAllRsaChain(Certificates.toProto(fleet.certify(identity.identity(), rsa, LIFE)))
            .build();

    assertThat(key(wanted)).isNotNull();
    assertThat(renewals.rsa(answer))
        .hasValueSatisfying(taken ->
            assertThat(((SessionOutput.RenewedRsa) taken).identity().leaf().getPublicKey())
                .isEqualTo(rsa));
    assertThat(renewals.rsa(answer)).isEmpty();
  }

  private static PublicKey key(RenewCertificate wanted) {
    return CertificateRequests.verifiedKey(wanted.getCertificateRequest().toByteArray());
  }

  private CertificateRenewed answer(PublicKey key) {
    return CertificateRenewed.newBuilder()
        .addAllChain(Certificates.toProto(fleet.certify(identity.identity(), key, LIFE)))
        .addAllRoots(Certificates.toProto(fleet.roots()))
        .build();
  }
}
