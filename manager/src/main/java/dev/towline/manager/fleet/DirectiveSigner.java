package dev.towline.manager.fleet;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.RevocationList;
import dev.towline.proto.v1.RevocationStatement;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Signatures;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;

/**
 * A short-lived Ed25519 key with its certificate, which travels with what it signed. The key is
 * only in memory: each start of a manager makes a new one. Safe for use by several threads.
 */
public final class DirectiveSigner {
  private static final String DIRECTIVE = "towline directive v1";
  private static final String REVOCATIONS = "towline revocations v1";

  private final Ed25519PrivateKeyParameters key;
  private final X509Certificate certificate;
  private final List<ByteString> chain;

  private DirectiveSigner(
      Ed25519PrivateKeyParameters key, X509Certificate certificate, List<ByteString> chain) {
    this.key = key;
    this.certificate = certificate;
    this.chain = chain;
  }

  static DirectiveSigner create(
      CertificateAuthority issuing, NodeIdentity manager, Duration validity, SecureRandom random) {
    Ed25519PrivateKeyParameters key = Signatures.newEd25519Key(random);
    X509Certificate certificate =
        issuing.issueDirectiveSigner(manager, key.generatePublicKey(), validity);
    return new DirectiveSigner(
        key, certificate, Certificates.toProto(List.of(certificate, issuing.certificate())));
  }

  public SignedDirective sign(Directive directive, ByteString content) {
    byte[] bytes = directive.toByteArray();
    return SignedDirective.newBuilder()
        .setDirective(ByteString.copyFrom(bytes))
        .setSignature(ByteString.copyFrom(Signatures.signEd25519(key, DIRECTIVE, bytes)))
        .addAllSignerChain(chain)
        .setContent(content)
        .build();
  }

  public RevocationList sign(RevocationStatement statement) {
    byte[] bytes = statement.toByteArray();
    return RevocationList.newBuilder()
        .setStatement(ByteString.copyFrom(bytes))
        .setSignature(ByteString.copyFrom(Signatures.signEd25519(key, REVOCATIONS, bytes)))
        .addAllSignerChain(chain)
        .build();
  }

  /** Serial number of its certificate, as revocation lists name it. */
  String serial() {
    return Fingerprints.serial(certificate);
  }

  Instant halfLife() {
    Instant from = certificate.getNotBefore().toInstant();
    return from.plus(Duration.between(from, certificate.getNotAfter().toInstant()).dividedBy(2));
  }
}
