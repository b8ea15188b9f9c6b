package dev.towline.manager.enrollment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.relays.Relays;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.RelayChild;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Enrollment with the real client over TLS. */
final class EnrollmentTest {
  @TempDir Path directory;

  private ManagerFixture fixture;

  @BeforeEach
  void start() {
    fixture = new ManagerFixture(directory);
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
  }

  @Test
  @Requirement("I3")
  void enroll_validToken_makesAHostInItsGroup() {
    CreatedToken token = fixture.token(1);
    IssuedIdentity issued = fixture.enrolled(token, fixture.facts("web-1"));
    assertThat(issued.identity().role()).isEqualTo(Role.AGENT);
    assertThat(Duration.between(fixture.clock().instant(), issued.expires()).toDays())
        .isBetween(29L, 30L);
    var host = fixture.services().hosts().host("web-1");
    assertThat(host.id()).isEqualTo(issued.identity().id());
    assertThat(host.group()).isEqualTo("web");
    assertThat(fixture.services().tokens().find(token.token().id()).orElseThrow().uses())
        .isEqualTo(1);
  }

  @Test
  @Requirement("I3")
  void enroll_sameHostTwice_staysOneHostWithANewKey() {
    CreatedToken token = fixture.token(1);
    IssuedIdentity first = fixture.enrolled(token, fixture.facts("web-1"));
    IssuedIdentity second = fixture.enrolled(token, fixture.facts("web-1"));
    assertThat(second.identity()).isEqualTo(first.identity());
    assertThat(second.leaf().getPublicKey()).isNotEqualTo(first.leaf().getPublicKey());
    assertThat(fixture.services().hosts().list("", 0, "").total()).isEqualTo(1);
    assertThat(fixture.services().tokens().find(token.token().id()).orElseThrow().uses())
        .isEqualTo(1);
  }

  @Test
  @Requirement("I1")
  void enroll_manyAtOnce_useCountIsExact() {
    CreatedToken token = fixture.token(3);
    try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<CompletableFuture<EnrollmentOutcome>> attempts =
          IntStream.range(0, 8)
              .mapToObj(i ->
                  CompletableFuture.supplyAsync(
                      () -> fixture.enroll(token, fixture.facts("web-" + i)), executor))
              .toList();
      assertThat(attempts.stream().map(CompletableFuture::join).toList())
          .filteredOn(EnrollmentOutcome.Issued.class::isInstance)
          .hasSize(3);
    }
    fixture.event("enrollment.refused.token_used_up");
  }

  @Test
  @Requirement("I2")
  void enroll_revokedToken_isRefusedWithAReasonAndRecorded() {
    CreatedToken token = fixture.token(0);
    fixture.services().tokens().revoke(token.token().id());
    assertRefused(fixture.enroll(token, fixture.facts("web-1")), "TOKEN_REVOKED");
    fixture.event("enrollment.refused.token_revoked");
    assertThat(fixture.services().tokens().find(token.token().id()).orElseThrow().lastRefusal())
        .isEqualTo("TOKEN_REVOKED");
  }

  @Test
  @Requirement("I2")
  void enroll_expiredToken_isRefused() {
    CreatedToken token = fixture.token(0, Duration.ofMillis(1));
    assertRefused(fixture.enroll(token, fixture.facts("web-1")), "TOKEN_EXPIRED");
  }

  @Test
  @Requirement("I1")
  void enroll_otherOperatingSystem_isRefused() {
    var windows = fixture.facts("pc").toBuilder().setOs("Windows").build();
    assertRefused(fixture.enroll(fixture.token(0), windows), "TOKEN_WRONG_OS");
  }

  @Test
  void enroll_wrongSecret_isAnEvent() {
    CreatedToken token = fixture.token(0);
    assertRefused(
        fixture.enroll(fixture.file(token, new byte[32]), fixture.facts("web-1")), "PROOF_INVALID");
    fixture.event("enrollment.proof_invalid");
  }

  @Test
  void enroll_manyFailures_areSlowedDown() throws Exception {
    fixture.close();
    // However long they take: by the manager's clock they come at once.
    Clock clock = Clock.fixed(Clock.systemUTC().instant(), ZoneOffset.UTC);
    fixture = new ManagerFixture(directory.resolve("slow"), clock);
    CreatedToken token = fixture.token(0);
    var file = fixture.file(token, new byte[32]);
    for (int i = 0; i < 30; i++) {
      fixture.enroll(file, fixture.facts("web-1"));
    }
    assertRefused(fixture.enroll(token, fixture.facts("web-1")), "RATE_LIMITED");
  }

  @Test
  @Requirement("T3")
  void recover_expiredIdentity_keepsTheHost() throws Exception {
    IssuedIdentity issued = fixture.enrolled(fixture.token(0), fixture.facts("web-1"));
    EnrollmentOutcome outcome =
        new EnrollmentClient(fixture.channels(), fixture.clock(), new SecureRandom())
            .recover(
                issued,
                fixture.services().fleet().roots(),
                List.of(fixture.address()),
                fixture.facts("web-1"),
                new IdentityStore(directory.resolve("recovered")));
    assertThat(outcome)
        .isInstanceOfSatisfying(
            EnrollmentOutcome.Issued.class,
            again -> assertThat(again.identity().identity()).isEqualTo(issued.identity()));
    fixture.services().sessions().revoke(issued.identity().id(), "gone");
    assertRefused(
        new EnrollmentClient(fixture.channels(), fixture.clock(), new SecureRandom())
            .recover(
                issued,
                fixture.services().fleet().roots(),
                List.of(fixture.address()),
                fixture.facts("web-1"),
                new IdentityStore(directory.resolve("never"))),
        "CERTIFICATE_UNTRUSTED");
  }

  @Test
  @Requirement("R5")
  void relays_paired_parentIsToldTheChildAndItsKeyUntilItEnrolls() throws Exception {
    Relays relays = fixture.services().relays();
    CreatedToken parentToken = relays.createParent("inner", Duration.ofHours(1), "test");
    FakeNode parent =
        fixture.node(
            fixture.enrolled(parentToken, fixture.facts("host-a")), fixture.facts("host-a"));
    var session = parent.connect();
    assertThat(children(session)).isEmpty();

    Relays.Paired paired =
        relays.pair(
            new Relays.NewPair(
                "inner", "outer", "10.0.0.9", "dmz", 0, 0, 0, Duration.ofHours(1), "test"));
    RelayChild child = children(session).getFirst();
    assertThat(child.getDialAddress()).isEqualTo("10.0.0.9:52311");
    assertThat(child.getPairingKey().size()).isEqualTo(32);
    assertThat(child.getRelayId()).isEqualTo(paired.child().id());

    IssuedIdentity childIdentity =
        fixture.enrolled(paired.forChild().orElseThrow(), fixture.facts("host-b"));
    assertThat(childIdentity.identity().id()).isEqualTo(child.getRelayId());
    assertThat(children(session).getFirst().getPairingKey().isEmpty()).isTrue();
  }

  private static List<RelayChild> children(FakeNode.Session session) throws Exception {
    while (true) {
      var taken = session.takeDirective();
      session.accept(taken.directive());
      var content = DirectiveContent.parseFrom(taken.signed().getContent());
      if (content.hasSetRelayChildren()) {
        return content.getSetRelayChildren().getChildrenList();
      }
    }
  }

  private static void assertRefused(EnrollmentOutcome outcome, String code) {
    assertThat(outcome)
        .isInstanceOfSatisfying(
            EnrollmentOutcome.Refused.class,
            refused -> {
              assertThat(refused.code()).isEqualTo(code);
              assertThat(refused.message()).isNotEmpty();
            });
  }
}
