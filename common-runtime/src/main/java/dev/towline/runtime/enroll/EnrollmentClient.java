package dev.towline.runtime.enroll;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.BeginEnrollment;
import dev.towline.proto.v1.BeginRecovery;
import dev.towline.proto.v1.EnrollmentIssued;
import dev.towline.proto.v1.EnrollmentProof;
import dev.towline.proto.v1.EnrollmentRefused;
import dev.towline.proto.v1.EnrollmentRequest;
import dev.towline.proto.v1.EnrollmentResponse;
import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.EnrollmentOutcome.Issued;
import dev.towline.runtime.enroll.EnrollmentOutcome.Refused;
import dev.towline.runtime.enroll.EnrollmentOutcome.Unreachable;
import dev.towline.runtime.enroll.EnrollmentOutcome.Untrusted;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.RootSuccession;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import io.grpc.stub.BlockingClientCall;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The caller's side of enrollment and recovery. The key is made here and never leaves the host.
 *
 * <p>Threading: stateless; each call blocks until one server has given a verdict or none answers.
 * Failure: expected ends are outcomes; only a disk that can't be written is an exception.
 */
public final class EnrollmentClient {
  private static final String RECOVERY_CONTEXT = "towline recover v1";
  private static final long ANSWER_SECONDS = 20;

  private final FleetChannels channels;
  private final InstantSource clock;
  private final SecureRandom random;

  public EnrollmentClient(FleetChannels channels, InstantSource clock, SecureRandom random) {
    this.channels = channels;
    this.clock = clock;
    this.random = random;
  }

  /**
   * Makes a key, has it certified by the first server that answers, and stores both.
   *
   * <p>The transport proves nothing here, because only the fingerprint of the fleet's root is
   * known: the proof is bound to key, attempt and root, and what comes back must lead to that root.
   */
  public EnrollmentOutcome enroll(EnrollmentFile file, HostFacts facts, IdentityStore store)
      throws InterruptedException {
    KeyPair key = Keys.newP256(random);
    byte[] request = CertificateRequests.create(key);
    byte[] root = HexFormat.of().parseHex(file.caFingerprint());
    var begin =
        EnrollmentRequest.newBuilder()
            .setBegin(
                BeginEnrollment.newBuilder()
                    .setTokenId(file.tokenId())
                    .setRole(file.role().toProto()))
            .build();
    SslContext tls =
        FleetTls.client(
            TlsProfile.MODERN,
            Optional::empty,
            InsecureTrustManagerFactory.INSTANCE.getTrustManagers()[0]);
    Attempt attempt =
        new Attempt(
            begin,
            nonce ->
                file.secret()
                    .proof(
                        Fingerprints.sha256(request),
                        nonce,
                        root,
                        Fingerprints.sha256(facts.toByteArray())),
            ByteString.copyFrom(request),
            facts,
            issued -> {
              Optional<X509Certificate> pinned =
                  Stream.concat(
                          Certificates.fromProto(issued.getRetiredRootsList()).stream(),
                          Certificates.fromProto(issued.getRootsList()).stream())
                      .filter(c -> Arrays.equals(Fingerprints.sha256(c), root))
                      .findFirst();
              if (pinned.isEmpty()) {
                return new Untrusted(
                    "the answer leads to another root than " + file.caFingerprint());
              }
              return accept(
                  issued,
                  key,
                  file.fleet(),
                  List.of(pinned.get()),
                  identity -> identity.role() == file.role());
            });
    return first(file.servers(), tls, attempt, store);
  }

  /** The same without a token, for a member whose certificate has expired. */
  public EnrollmentOutcome recover(
      IssuedIdentity expired,
      List<X509Certificate> roots,
      List<ServerAddress> servers,
      HostFacts facts,
      IdentityStore store)
      throws InterruptedException {
    KeyPair key = Keys.newP256(random);
    byte[] request = CertificateRequests.create(key);
    byte[] root = Fingerprints.sha256(roots.getLast());
    var begin =
        EnrollmentRequest.newBuilder()
            .setRecover(
                BeginRecovery.newBuilder()
                    .addAllExpiredChain(Certificates.toProto(expired.chain())))
            .build();
    NodeIdentity self = expired.identity();
    SslContext tls =
        FleetTls.client(
            Optional::empty,
            verifier(self.fleet(), roots)
                .doubtingTheClock(expired.leaf().getNotBefore()::toInstant),
            EnrollmentClient::answersEnrollment);
    Attempt attempt =
        new Attempt(
            begin,
            nonce ->
                Signatures.signP256(
                    expired.key(),
                    RECOVERY_CONTEXT,
                    concat(
                        Fingerprints.sha256(request),
                        nonce,
                        root,
                        Fingerprints.sha256(facts.toByteArray()))),
            ByteString.copyFrom(request),
            facts,
            issued -> accept(issued, key, self.fleet(), roots, self::equals));
    return first(servers, tls, attempt, store);
  }

  private EnrollmentOutcome first(
      List<ServerAddress> servers, SslContext tls, Attempt attempt, IdentityStore store)
      throws InterruptedException {
    List<String> details = new ArrayList<>();
    boolean untrusted = false;
    for (ServerAddress server : servers) {
      switch (at(server, tls, attempt)) {
        case Issued issued -> {
          try {
            store.save(issued.identity(), issued.roots());
          } catch (IOException e) {
            throw new UncheckedIOException("failed to store the issued identity", e);
          }
          return issued;
        }
        case Refused refused -> {
          return refused;
        }
        case Unreachable unreachable -> details.add(server + ": " + unreachable.detail());
        case Untrusted wrong -> {
          untrusted = true;
          details.add(server + ": " + wrong.detail());
        }
      }
    }
    String all = String.join("; ", details);
    return untrusted ? new Untrusted(all) : new Unreachable(all);
  }

  private EnrollmentOutcome at(ServerAddress server, SslContext tls, Attempt attempt)
      throws InterruptedException {
    ManagedChannel channel = channels.open(server, tls);
    try {
      BlockingClientCall<EnrollmentRequest, EnrollmentResponse> call =
          EnrollmentServiceGrpc.newBlockingV2Stub(channel).enroll();
      try {
        return converse(call, attempt);
      } finally {
        call.cancel("the attempt is over", null);
      }
    } catch (StatusException e) {
      return new Unreachable(describe(e.getStatus()));
    } catch (TimeoutException e) {
      return new Unreachable("no answer within " + ANSWER_SECONDS + " s");
    } catch (IllegalArgumentException e) {
      return new Untrusted("the answer can't be read: " + e.getMessage());
    } finally {
      channel.shutdownNow();
    }
  }

  private static EnrollmentOutcome converse(
      BlockingClientCall<EnrollmentRequest, EnrollmentResponse> call, Attempt attempt)
      throws InterruptedException, StatusException, TimeoutException {
    call.write(attempt.begin(), ANSWER_SECONDS, TimeUnit.SECONDS);
    EnrollmentResponse challenge = call.read(ANSWER_SECONDS, TimeUnit.SECONDS);
    if (challenge == null || !challenge.hasChallenge()) {
      return ended(challenge);
    }
    byte[] nonce = challenge.getChallenge().getNonce().toByteArray();
    call.write(
        EnrollmentRequest.newBuilder()
            .setProof(
                EnrollmentProof.newBuilder()
                    .setCertificateRequest(attempt.request())
                    .setProof(ByteString.copyFrom(attempt.prover().proof(nonce)))
                    .setFacts(attempt.facts()))
            .build(),
        ANSWER_SECONDS,
        TimeUnit.SECONDS);
    call.halfClose();
    EnrollmentResponse verdict = call.read(ANSWER_SECONDS, TimeUnit.SECONDS);
    if (verdict == null || !verdict.hasIssued()) {
      return ended(verdict);
    }
    return attempt.judge().accept(verdict.getIssued());
  }

  private static EnrollmentOutcome ended(@Nullable EnrollmentResponse step) {
    if (step == null) {
      return new Unreachable("the call ended without an answer");
    }
    if (step.hasRefused()) {
      EnrollmentRefused refused = step.getRefused();
      return new Refused(
          refused.getCode(), refused.getMessage(), refused.getRemedy(), refused.getRetryable());
    }
    return new Untrusted("unexpected step " + step.getStepCase());
  }

  /** Takes what was issued only when it certifies our key, by our fleet, under our name. */
  private EnrollmentOutcome accept(
      EnrollmentIssued issued,
      KeyPair key,
      String fleet,
      List<X509Certificate> trusted,
      Predicate<NodeIdentity> expected) {
    List<X509Certificate> chain = Certificates.fromProto(issued.getChainList());
    List<X509Certificate> roots =
        RootSuccession.replace(
            trusted,
            Certificates.fromProto(issued.getRetiredRootsList()),
            Certificates.fromProto(issued.getRootsList()));
    // Of our own certificate the dates matter to others; this machine's clock may be wrong.
    PeerCheck check =
        verifier(fleet, roots)
            .doubtingTheClock(() -> Instant.EPOCH)
            .check(
                chain,
                identity -> expected.test(identity) && identity.uri().equals(issued.getIdentity()));
    return switch (check) {
      case PeerCheck.Refused refused -> new Untrusted(refused.code() + ": " + refused.detail());
      case PeerCheck.Trusted member ->
          member.leaf().getPublicKey().equals(key.getPublic())
              ? new Issued(new IssuedIdentity(member.identity(), key.getPrivate(), chain), roots)
              : new Untrusted("the certificate is for another key than the one that was sent");
    };
  }

  private static boolean answersEnrollment(NodeIdentity peer) {
    return peer.role() == Role.MANAGER || peer.role() == Role.PROXY;
  }

  private PeerVerifier verifier(String fleet, List<X509Certificate> roots) {
    var anchors = new TrustAnchors(fleet, roots);
    return new PeerVerifier(() -> anchors, Revocations.NONE, clock);
  }

  private static String describe(Status status) {
    Throwable cause = status.getCause();
    String text = String.valueOf(status.getDescription());
    return cause == null || cause.getMessage() == null
        ? status.getCode() + " " + text
        : status.getCode() + " " + text + " (" + cause.getMessage() + ")";
  }

  private static byte[] concat(byte[]... parts) {
    return ByteString.copyFrom(Arrays.stream(parts).map(ByteString::copyFrom).toList())
        .toByteArray();
  }

  private interface Prover {
    byte[] proof(byte[] nonce);
  }

  private interface Judge {
    EnrollmentOutcome accept(EnrollmentIssued issued);
  }

  private record Attempt(
      EnrollmentRequest begin, Prover prover, ByteString request, HostFacts facts, Judge judge) {}
}
