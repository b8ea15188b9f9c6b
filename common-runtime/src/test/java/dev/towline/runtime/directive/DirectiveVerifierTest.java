package dev.towline.runtime.directive;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.NoOp;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.runtime.directive.DirectiveVerifier.Situation;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.testing.TestFleet.DirectiveSigner;
import dev.towline.testing.Requirement;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.function.Consumer;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;
import org.junit.jupiter.api.Test;

/** Everything that somebody inside the sealed channel, but without the key, could try. */
@Requirement("T3")
final class DirectiveVerifierTest {
  private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");
  private static final NodeIdentity SELF = new NodeIdentity(TestFleet.NAME, Role.AGENT, "a1");
  private static final ByteString NONCE = ByteString.copyFrom(new byte[32]);
  private static final ByteString OTHER_NONCE = ByteString.copyFromUtf8("of another session");
  private static final Situation AFTER_FOUR = new Situation(NONCE, 4, 4, NOW);

  private final TestFleet fleet = new TestFleet(Clock.fixed(NOW, ZoneOffset.UTC));
  private final DirectiveSigner signer = fleet.directiveSigner("m1");
  private final DirectiveVerifier verifier = new DirectiveVerifier(SELF, fleet.verifier());

  @Test
  void verify_nextInOrder_accepts() {
    DirectiveVerdict verdict = verifier.verify(sign(5, d -> {}), AFTER_FOUR);
    assertThat(verdict)
        .isInstanceOfSatisfying(
            DirectiveVerdict.Accept.class,
            accept -> {
              assertThat(accept.directive().getSequence()).isEqualTo(5);
              assertThat(accept.content().getRunAction().getCommand(0)).isEqualTo("reboot");
            });
  }

  @Test
  void verify_signedWithAKeyOfAnotherFleet_isForged() {
    DirectiveSigner stranger =
        new TestFleet(Clock.fixed(NOW, ZoneOffset.UTC)).directiveSigner("m1");
    assertRefused(sign(stranger, 5, d -> {}), DirectiveRefusal.FORGED);
  }

  @Test
  void verify_chainOfAStolenProxy_isForged() {
    // The proxy's own certificate is real; what it isn't is one for signing directives.
    assertRefused(withChain(fleet.issue(Role.PROXY, "p1").chain()), DirectiveRefusal.FORGED);
  }

  @Test
  void verify_managersTlsCertificateInsteadOfItsDirectiveKey_isForged() {
    assertRefused(withChain(fleet.issue(Role.MANAGER, "m1").chain()), DirectiveRefusal.FORGED);
  }

  @Test
  void verify_certificateIssuedByALeaf_isForged() {
    IssuedIdentity proxy = fleet.issue(Role.PROXY, "p1");
    assertRefused(
        withChain(List.of(signer.chain().getFirst(), proxy.leaf())), DirectiveRefusal.FORGED);
  }

  @Test
  void verify_withoutChain_isForged() {
    assertRefused(sign(5, d -> {}).toBuilder().clearSignerChain().build(), DirectiveRefusal.FORGED);
  }

  @Test
  void verify_chainThatIsNoCertificate_isForged() {
    SignedDirective broken =
        sign(5, d -> {}).toBuilder()
            .setSignerChain(0, ByteString.copyFromUtf8("no certificate"))
            .build();
    assertRefused(broken, DirectiveRefusal.FORGED);
  }

  @Test
  void verify_signerRevoked_isForged() {
    fleet.revoke("m1");
    assertRefused(sign(5, d -> {}), DirectiveRefusal.FORGED);
  }

  @Test
  void verify_signerCertificateExpired_isForged() {
    SignedDirective signed = sign(5, d -> {});
    var later = new Situation(NONCE, 4, 4, NOW.plus(Duration.ofDays(2)));
    assertThat(refusal(verifier.verify(signed, later))).isEqualTo(DirectiveRefusal.FORGED);
  }

  @Test
  void verify_realChainAndAnotherKey_isAltered() {
    Ed25519PrivateKeyParameters own = Signatures.newEd25519Key(fleet.random());
    assertRefused(
        sign(new DirectiveSigner(own, signer.chain()), 5, d -> {}), DirectiveRefusal.ALTERED);
  }

  @Test
  void verify_signatureOfAnotherContext_isAltered() {
    SignedDirective signed = sign(5, d -> {});
    byte[] statement = signed.getDirective().toByteArray();
    assertRefused(
        signed.toBuilder()
            .setSignature(
                ByteString.copyFrom(
                    Signatures.signEd25519(signer.key(), "towline revocations v1", statement)))
            .build(),
        DirectiveRefusal.ALTERED);
  }

  @Test
  void verify_anyBitOfTheStatementFlipped_isAltered() {
    SignedDirective signed = sign(5, d -> {});
    byte[] statement = signed.getDirective().toByteArray();
    for (int bit = 0; bit < statement.length * 8; bit++) {
      byte[] altered = statement.clone();
      altered[bit / 8] ^= (byte) (1 << (bit % 8));
      assertRefused(
          signed.toBuilder().setDirective(ByteString.copyFrom(altered)).build(),
          DirectiveRefusal.ALTERED);
    }
  }

  @Test
  void verify_otherContentUnderTheSignedStatement_isAltered() {
    assertRefused(
        sign(5, d -> {}).toBuilder()
            .setContent(
                DirectiveContent.newBuilder()
                    .setNoOp(NoOp.getDefaultInstance())
                    .build()
                    .toByteString())
            .build(),
        DirectiveRefusal.ALTERED);
  }

  @Test
  void verify_downgradedToAKindThatItsContentIsNot_isAltered() {
    assertRefused(
        sign(5, d -> d.setKind(DirectiveKind.DIRECTIVE_KIND_NO_OP)), DirectiveRefusal.ALTERED);
    assertRefused(
        sign(5, d -> d.setKind(DirectiveKind.DIRECTIVE_KIND_UNSPECIFIED)),
        DirectiveRefusal.ALTERED);
  }

  @Test
  void verify_downgradedToAStatementWithoutNonce_isOfAStaleSession() {
    assertRefused(sign(5, Directive.Builder::clearSessionNonce), DirectiveRefusal.STALE_SESSION);
  }

  @Test
  void verify_downgradedToAStatementWithoutExpiry_isExpired() {
    assertRefused(sign(5, Directive.Builder::clearExpiresMs), DirectiveRefusal.EXPIRED);
  }

  @Test
  void verify_sameOneTwiceInASession_isReplayed() {
    SignedDirective signed = sign(5, d -> {});
    assertThat(verifier.verify(signed, AFTER_FOUR)).isInstanceOf(DirectiveVerdict.Accept.class);
    var after = new Situation(NONCE, 5, 5, NOW);
    assertThat(refusal(verifier.verify(signed, after))).isEqualTo(DirectiveRefusal.REPLAYED);
  }

  @Test
  void verify_ofAnEarlierSessionAndAccepted_isReplayed() {
    assertRefused(sign(4, d -> d.setSessionNonce(OTHER_NONCE)), DirectiveRefusal.REPLAYED);
  }

  @Test
  void verify_acceptedBeforeTheDiskWasRolledBack_isOfAStaleSession() {
    // The journal says 4 again, although 5 was run in the session of the other nonce.
    assertRefused(sign(5, d -> d.setSessionNonce(OTHER_NONCE)), DirectiveRefusal.STALE_SESSION);
  }

  @Test
  void verify_signedForThisSessionButAcceptedInTheOneBefore_isSaidAgainAndNotRun() {
    var crossed = new Situation(NONCE, 5, 4, NOW);
    assertThat(verifier.verify(sign(5, d -> {}), crossed))
        .isInstanceOf(DirectiveVerdict.AlreadyAccepted.class);
  }

  @Test
  void verify_laterOneFirst_isAGap() {
    assertThat(verifier.verify(sign(6, d -> {}), AFTER_FOUR))
        .isInstanceOfSatisfying(
            DirectiveVerdict.Gap.class, gap -> assertThat(gap.lastAccepted()).isEqualTo(4));
  }

  @Test
  void verify_predecessorLeftOut_isReordered() {
    assertRefused(sign(5, d -> d.setPredecessor(3)), DirectiveRefusal.REORDERED);
    assertRefused(sign(6, d -> d.setPredecessor(4)), DirectiveRefusal.REORDERED);
  }

  @Test
  void verify_forAnotherAgent_isRedirected() {
    assertRefused(
        sign(5, d -> d.setTarget(new NodeIdentity(TestFleet.NAME, Role.AGENT, "a2").uri())),
        DirectiveRefusal.REDIRECTED);
    assertRefused(
        sign(5, d -> d.setTarget(new NodeIdentity(TestFleet.NAME, Role.RELAY, "a1").uri())),
        DirectiveRefusal.REDIRECTED);
  }

  @Test
  void verify_heldBackPastItsTime_isExpired() {
    assertRefused(
        sign(5, d -> d.setExpiresMs(NOW.minusMillis(1).toEpochMilli())), DirectiveRefusal.EXPIRED);
  }

  @Test
  void verify_beforeItsTime_isExpired() {
    Instant tooSoon = NOW.plus(DirectiveVerifier.EARLY).plusMillis(1);
    assertRefused(sign(5, d -> d.setNotBeforeMs(tooSoon.toEpochMilli())), DirectiveRefusal.EXPIRED);
  }

  private void assertRefused(SignedDirective signed, DirectiveRefusal expected) {
    assertThat(refusal(verifier.verify(signed, AFTER_FOUR))).isEqualTo(expected);
  }

  private static DirectiveRefusal refusal(DirectiveVerdict verdict) {
    assertThat(verdict).isInstanceOf(DirectiveVerdict.Refuse.class);
    return ((DirectiveVerdict.Refuse) verdict).refusal();
  }

  /** A statement under another chain, whose key its owner would have: here the real signature. */
  private SignedDirective withChain(List<X509Certificate> chain) {
    return sign(5, d -> {}).toBuilder()
        .clearSignerChain()
        .addAllSignerChain(Certificates.toProto(chain))
        .build();
  }

  private SignedDirective sign(long sequence, Consumer<Directive.Builder> change) {
    return sign(signer, sequence, change);
  }

  private static SignedDirective sign(
      DirectiveSigner signer, long sequence, Consumer<Directive.Builder> change) {
    ByteString content =
        DirectiveContent.newBuilder()
            .setRunAction(RunAction.newBuilder().addCommand("reboot"))
            .build()
            .toByteString();
    Directive.Builder directive =
        Directive.newBuilder()
            .setId("d" + sequence)
            .setTarget(SELF.uri())
            .setSequence(sequence)
            .setPredecessor(sequence - 1)
            .setNotBeforeMs(NOW.minusSeconds(10).toEpochMilli())
            .setExpiresMs(NOW.plusSeconds(60).toEpochMilli())
            .setKind(DirectiveKind.DIRECTIVE_KIND_RUN_ACTION)
            .setContentSha256(ByteString.copyFrom(Fingerprints.sha256(content.toByteArray())))
            .setSessionNonce(NONCE);
    change.accept(directive);
    byte[] statement = directive.build().toByteArray();
    return SignedDirective.newBuilder()
        .setDirective(ByteString.copyFrom(statement))
        .setSignature(
            ByteString.copyFrom(
                Signatures.signEd25519(
                    signer.key(), DirectiveVerifier.SIGNATURE_CONTEXT, statement)))
        .addAllSignerChain(Certificates.toProto(signer.chain()))
        .setContent(content)
        .build();
  }
}
