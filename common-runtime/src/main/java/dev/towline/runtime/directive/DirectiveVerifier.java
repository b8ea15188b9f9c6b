package dev.towline.runtime.directive;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveContent.ContentCase;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.runtime.directive.DirectiveVerdict.Accept;
import dev.towline.runtime.directive.DirectiveVerdict.AlreadyAccepted;
import dev.towline.runtime.directive.DirectiveVerdict.Gap;
import dev.towline.runtime.directive.DirectiveVerdict.Refuse;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Signatures;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.bouncycastle.crypto.params.Ed25519PublicKeyParameters;
import org.jspecify.annotations.Nullable;

/**
 * Decides whether a signed directive may be carried out. Pure: everything it depends on is an
 * argument, and nothing changes.
 *
 * <p>Threading: one caller at a time; it remembers the last signer chain that it checked.
 */
public final class DirectiveVerifier {
  /** The context of the signature. */
  public static final String SIGNATURE_CONTEXT = "towline directive v1";

  /** How far a directive may come before its time: clocks differ, and transport is no proof. */
  public static final Duration EARLY = Duration.ofSeconds(30);

  private final NodeIdentity self;
  private final PeerVerifier peers;
  private @Nullable KnownSigner known;

  public DirectiveVerifier(NodeIdentity self, PeerVerifier peers) {
    this.self = self;
    this.peers = peers;
  }

  /**
   * What the receiver knows at the moment.
   *
   * @param sessionNonce of the session that the directive came in
   * @param lastAccepted the highest sequence that was accepted
   * @param lastSeenHere the highest sequence that this session itself delivered, or the last
   *     accepted one when it said hello
   * @param now the time as the manager sees it, never below the stored floor
   */
  public record Situation(
      ByteString sessionNonce, long lastAccepted, long lastSeenHere, Instant now) {}

  /** The verdict; what is wrong with the signature comes first, so that nothing unproven counts. */
  public DirectiveVerdict verify(SignedDirective signed, Situation situation) {
    Ed25519PublicKeyParameters key;
    try {
      List<X509Certificate> chain = chain(signed.getSignerChainList());
      switch (peers.checkDirectiveSigner(chain, situation.now())) {
        case PeerCheck.Refused refused -> {
          return refuse(DirectiveRefusal.FORGED, refused.code() + ": " + refused.detail(), signed);
        }
        case PeerCheck.Trusted trusted ->
            key = Signatures.ed25519Key(trusted.leaf().getPublicKey());
      }
    } catch (IllegalArgumentException e) {
      return refuse(DirectiveRefusal.FORGED, "signer chain: " + e.getMessage(), signed);
    }
    if (!Signatures.verifyEd25519(
        key,
        SIGNATURE_CONTEXT,
        signed.getDirective().toByteArray(),
        signed.getSignature().toByteArray())) {
      return refuse(DirectiveRefusal.ALTERED, "signature does not match the statement", signed);
    }
    Directive directive;
    DirectiveContent content;
    try {
      directive = Directive.parseFrom(signed.getDirective());
      if (!directive
          .getContentSha256()
          .equals(ByteString.copyFrom(Fingerprints.sha256(signed.getContent().toByteArray())))) {
        return refuse(
            DirectiveRefusal.ALTERED, "content is not the one that was signed", directive);
      }
      content = DirectiveContent.parseFrom(signed.getContent());
    } catch (InvalidProtocolBufferException e) {
      return refuse(DirectiveRefusal.ALTERED, "statement or content can't be read", signed);
    }
    return judge(directive, content, situation);
  }

  private DirectiveVerdict judge(
      Directive directive, DirectiveContent content, Situation situation) {
    if (!directive.getTarget().equals(self.uri())) {
      return refuse(
          DirectiveRefusal.REDIRECTED,
          "target: %s (expected: %s)".formatted(directive.getTarget(), self.uri()),
          directive);
    }
    long last = situation.lastAccepted();
    long sequence = directive.getSequence();
    boolean ours = directive.getSessionNonce().equals(situation.sessionNonce());
    if (sequence <= last) {
      if (ours && sequence > situation.lastSeenHere()) {
        // Signed for this session before the manager knew that the one before had delivered it.
        return new AlreadyAccepted(directive);
      }
      return refuse(
          DirectiveRefusal.REPLAYED,
          "sequence: %d (expected: %d)".formatted(sequence, last + 1),
          directive);
    }
    if (!ours) {
      return refuse(
          DirectiveRefusal.STALE_SESSION, "session nonce is not that of this session", directive);
    }
    if (directive.getPredecessor() != sequence - 1) {
      return refuse(
          DirectiveRefusal.REORDERED,
          "predecessor: %d (expected: %d)".formatted(directive.getPredecessor(), sequence - 1),
          directive);
    }
    if (sequence > last + 1) {
      return new Gap(directive, last);
    }
    long now = situation.now().toEpochMilli();
    if (now > directive.getExpiresMs() || now + EARLY.toMillis() < directive.getNotBeforeMs()) {
      return refuse(
          DirectiveRefusal.EXPIRED,
          "valid from %s to %s, it is %s"
              .formatted(
                  Instant.ofEpochMilli(directive.getNotBeforeMs()),
                  Instant.ofEpochMilli(directive.getExpiresMs()),
                  situation.now()),
          directive);
    }
    if (!matches(directive.getKind(), content.getContentCase())) {
      return refuse(
          DirectiveRefusal.ALTERED,
          "kind: %s, content: %s".formatted(directive.getKind(), content.getContentCase()),
          directive);
    }
    return new Accept(directive, content);
  }

  private static boolean matches(DirectiveKind kind, ContentCase content) {
    return switch (kind) {
      case DIRECTIVE_KIND_NO_OP -> content == ContentCase.NO_OP;
      case DIRECTIVE_KIND_RUN_ACTION -> content == ContentCase.RUN_ACTION;
      case DIRECTIVE_KIND_CANCEL_ACTION -> content == ContentCase.CANCEL_ACTION;
      case DIRECTIVE_KIND_SKIP -> content == ContentCase.SKIP;
      case DIRECTIVE_KIND_SET_RELAY_CHILDREN -> content == ContentCase.SET_RELAY_CHILDREN;
      case DIRECTIVE_KIND_CONFIGURE_RELAY -> content == ContentCase.CONFIGURE_RELAY;
      case DIRECTIVE_KIND_INSTALL_PROGRAM -> content == ContentCase.INSTALL_PROGRAM;
      case DIRECTIVE_KIND_REHOME -> content == ContentCase.REHOME;
      case DIRECTIVE_KIND_CONTROL_PROXY -> content == ContentCase.CONTROL_PROXY;
      case DIRECTIVE_KIND_CONFIGURE_SENDING -> content == ContentCase.CONFIGURE_SENDING;
      case DIRECTIVE_KIND_SET_POLICY -> content == ContentCase.SET_POLICY;
      case DIRECTIVE_KIND_CONTROL_FIREWALL -> content == ContentCase.CONTROL_FIREWALL;
      // A kind of a later version: accepted in order and answered as unsupported.
      case UNRECOGNIZED -> true;
      case DIRECTIVE_KIND_UNSPECIFIED -> false;
    };
  }

  private List<X509Certificate> chain(List<ByteString> ders) {
    KnownSigner last = known;
    if (last != null && last.ders().equals(ders)) {
      return last.chain();
    }
    List<X509Certificate> chain = Certificates.fromProto(ders);
    known = new KnownSigner(List.copyOf(ders), chain);
    return chain;
  }

  private static Refuse refuse(DirectiveRefusal refusal, String detail, SignedDirective unproven) {
    try {
      Directive claimed = Directive.parseFrom(unproven.getDirective());
      return new Refuse(refusal, detail, claimed.getId(), claimed.getSequence());
    } catch (InvalidProtocolBufferException e) {
      return new Refuse(refusal, detail, "", 0);
    }
  }

  private static Refuse refuse(DirectiveRefusal refusal, String detail, Directive directive) {
    return new Refuse(refusal, detail, directive.getId(), directive.getSequence());
  }

  private record KnownSigner(List<ByteString> ders, List<X509Certificate> chain) {}
}
