package dev.towline.manager.enrollment;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.Directives;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.enrollment.EnrollmentVerdict.Issued;
import dev.towline.manager.enrollment.EnrollmentVerdict.Refused;
import dev.towline.manager.events.Events;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.fleet.Revoked;
import dev.towline.manager.fleet.Validities;
import dev.towline.manager.ids.Ids;
import dev.towline.manager.nodes.LiveNodes;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.proxies.ProxyClusters;
import dev.towline.manager.relays.Relays;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.EnrollmentProof;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.Path;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.identity.TrustAnchors;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides who becomes a member of the fleet, and gives a lost member its certificate back. Nothing
 * is told about a token to somebody who can't prove to hold its secret.
 *
 * <p>Threading: safe for use by several threads; blocks on the store. Failure: refusals are
 * verdicts, recorded as events and at the token.
 */
public final class Enrollment {
  private static final Logger log = LoggerFactory.getLogger(Enrollment.class);
  private static final String ENROLL = "towline enroll v1";
  private static final String RECOVER = "towline recover v1";
  private static final String NEW_COMMAND = "create a new install command and run that one";

  private final Store store;
  private final Fleet fleet;
  private final PeerVerifier everTrusted;
  private final Events events;
  private final Relays relays;
  private final Directives directives;
  private final LiveNodes live;
  private final InstantSource clock;
  private final SecureRandom random;
  private final Revoked revoked;
  private final AttemptLimit limit;

  public Enrollment(
      Store store,
      Fleet fleet,
      Revoked revoked,
      Events events,
      Relays relays,
      Directives directives,
      LiveNodes live,
      InstantSource clock,
      SecureRandom random) {
    this.store = store;
    this.fleet = fleet;
    this.everTrusted =
        new PeerVerifier(() -> new TrustAnchors(fleet.id(), fleet.allRoots()), revoked, clock);
    this.events = events;
    this.relays = relays;
    this.directives = directives;
    this.live = live;
    this.clock = clock;
    this.random = random;
    this.revoked = revoked;
    this.limit = new AttemptLimit(clock);
  }

  public byte[] newChallenge() {
    byte[] nonce = new byte[32];
    random.nextBytes(nonce);
    return nonce;
  }

  /** Whether an attempt from this source is to be heard at all. */
  public Optional<Refused> check(String source) {
    return limit.allows(source)
        ? Optional.empty()
        : Optional.of(
            new Refused(
                "RATE_LIMITED",
                "too many failed attempts from " + source,
                "wait a minute and try again",
                true));
  }

  /** Whether it depends on the caller's address if this install command lets it in. */
  public boolean mindsSource(String tokenId) {
    return store
        .read(tx -> tx.tokens().find(tokenId))
        .map(token -> !token.sourceNetworks().blocks().isEmpty())
        .orElse(false);
  }

  /**
   * @param source address of the caller, for the limit and the record
   */
  public EnrollmentVerdict enroll(
      String tokenId, Role role, byte[] nonce, EnrollmentProof proof, String source) {
    byte[] request = proof.getCertificateRequest().toByteArray();
    Optional<byte[]> secret = store.read(tx -> tx.tokens().secret(tokenId));
    if (secret.isEmpty()) {
      return refuse(
          tokenId,
          source,
          new Refused(
              "TOKEN_UNKNOWN",
              "install command " + tokenId + " does not exist in this fleet",
              NEW_COMMAND,
              false));
    }
    // Whichever root it was pinned to: a change of the root does not end what was created before.
    boolean proven =
        fleet.allRoots().stream()
            .anyMatch(root ->
                MessageDigest.isEqual(
                    Signatures.hmacSha256(
                        secret.get(),
                        ENROLL,
                        Fingerprints.sha256(request),
                        nonce,
                        Fingerprints.sha256(root),
                        Fingerprints.sha256(proof.getFacts().toByteArray())),
                    proof.getProof().toByteArray()));
    if (!proven) {
      limit.failed(source);
      events.record(
          "enrollment.proof_invalid",
          tokenId,
          "from "
              + source
              + ": the proof does not fit request "
              + HexFormat.of().formatHex(Fingerprints.sha256(request), 0, 8)
              + ", challenge and fleet");
      return new Refused(
          "PROOF_INVALID",
          "the proof does not fit: the secret is another one, or somebody on the way changed the"
              + " request",
          "run the install command as it was copied",
          false);
    }
    PublicKey key;
    try {
      key = CertificateRequests.verifiedKey(request);
    } catch (IllegalArgumentException e) {
      return refuse(
          tokenId,
          source,
          new Refused("REQUEST_INVALID", String.valueOf(e.getMessage()), "", false));
    }
    Attempt attempt = store.commit(tx -> decide(tx, tokenId, role, key, proof.getFacts(), source));
    return switch (attempt.verdict()) {
      case Refused refused -> refuse(tokenId, source, refused);
      case Issued issued -> {
        directives.committed(attempt.queued());
        if (attempt.again()) {
          revoked.reload();
        }
        log.info(
            "enrolled {} ({}) with install command {}",
            issued.identity(),
            proof.getFacts().getHostName(),
            tokenId);
        yield issued;
      }
    };
  }

  /** A new certificate for a member that proves the key of its expired one. */
  public EnrollmentVerdict recover(
      List<X509Certificate> chain, byte[] nonce, EnrollmentProof proof, String source) {
    byte[] request = proof.getCertificateRequest().toByteArray();
    if (!(everTrusted.checkIgnoringExpiry(chain)
        instanceof PeerCheck.Trusted(NodeIdentity identity, X509Certificate leaf))) {
      return refuse(
          "unknown",
          source,
          new Refused(
              "CERTIFICATE_UNTRUSTED",
              "the certificate was not issued by this fleet, or is revoked",
              NEW_COMMAND,
              false));
    }
    boolean proven =
        fleet.allRoots().stream()
            .anyMatch(root ->
                Signatures.verifyP256(
                    leaf.getPublicKey(),
                    RECOVER,
                    recoveryStatement(request, nonce, root, proof.getFacts()),
                    proof.getProof().toByteArray()));
    if (!proven) {
      limit.failed(source);
      events.record(
          "enrollment.proof_invalid",
          identity.id(),
          "from " + source + ": recovery without the enrolled key");
      return new Refused(
          "PROOF_INVALID", "the proof does not fit the certificate", NEW_COMMAND, false);
    }
    PublicKey key;
    try {
      key = CertificateRequests.verifiedKey(request);
    } catch (IllegalArgumentException e) {
      return refuse(
          identity.id(),
          source,
          new Refused("REQUEST_INVALID", String.valueOf(e.getMessage()), "", false));
    }
    EnrollmentVerdict verdict =
        store.commit(tx -> {
          Optional<Node> node = tx.nodes().find(identity.id());
          if (node.isEmpty() || node.get().revokedMs() > 0) {
            return new Refused(
                "NODE_UNKNOWN",
                identity + " is not a member of this fleet any more",
                NEW_COMMAND,
                false);
          }
          // A root of earlier times may have been given up because somebody else has its key.
          if (!tx.nodes().certificates(identity.id()).contains(leaf)) {
            return new Refused(
                "CERTIFICATE_UNKNOWN",
                "the certificate of " + identity + " was not issued by this manager",
                NEW_COMMAND,
                false);
          }
          return issue(tx, identity, key);
        });
    return switch (verdict) {
      case Refused refused -> refuse(identity.id(), source, refused);
      case Issued issued -> {
        log.info("gave {} a new certificate after its own had expired", identity);
        yield issued;
      }
    };
  }

  private static byte[] recoveryStatement(
      byte[] request, byte[] nonce, X509Certificate root, HostFacts facts) {
    return ByteString.copyFrom(Fingerprints.sha256(request))
        .concat(ByteString.copyFrom(nonce))
        .concat(ByteString.copyFrom(Fingerprints.sha256(root)))
        .concat(ByteString.copyFrom(Fingerprints.sha256(facts.toByteArray())))
        .toByteArray();
  }

  /**
   * @param again whether certificates that the node had before are revoked now
   */
  private record Attempt(EnrollmentVerdict verdict, List<QueuedDirective> queued, boolean again) {
    static Attempt refused(String code, String message, String remedy) {
      return new Attempt(new Refused(code, message, remedy, false), List.of(), false);
    }
  }

  private Attempt decide(
      Tx tx, String tokenId, Role role, PublicKey key, HostFacts facts, String source) {
    long now = clock.millis();
    EnrollmentToken token = tx.tokens().find(tokenId).orElseThrow();
    if (token.revokedMs() > 0) {
      return Attempt.refused(
          "TOKEN_REVOKED",
          "this install command was revoked at " + Instant.ofEpochMilli(token.revokedMs()),
          NEW_COMMAND);
    }
    if (token.expiresMs() <= now) {
      return Attempt.refused(
          "TOKEN_EXPIRED",
          "this install command expired at " + Instant.ofEpochMilli(token.expiresMs()),
          NEW_COMMAND);
    }
    if (token.role() != role) {
      return Attempt.refused(
          "TOKEN_WRONG_ROLE",
          "this install command is for role " + token.role().label() + ", not " + role.label(),
          "create an install command for role " + role.label());
    }
    if (!token.os().isEmpty() && !facts.getOs().isEmpty() && !sameSystem(token.os(), facts)) {
      return Attempt.refused(
          "TOKEN_WRONG_OS",
          "this install command is for " + token.os() + ", the host runs " + facts.getOs(),
          "create an install command for " + facts.getOs().toLowerCase(Locale.ROOT));
    }
    if (!token.sourceNetworks().allows(source)) {
      return Attempt.refused(
          "TOKEN_WRONG_NETWORK",
          "this install command is for hosts of "
              + String.join(", ", token.sourceNetworks().blocks())
              + ", this one comes from "
              + source,
          NEW_COMMAND);
    }
    Optional<Node> before = existing(tx, token, facts).filter(node -> node.revokedMs() == 0);
    if (before.isEmpty()
        && role == Role.PROXY
        && !token.proxyCluster().isEmpty()
        && ProxyClusters.isFull(tx, token.proxyCluster())) {
      return Attempt.refused(
          "PROXY_CLUSTER_FULL",
          "proxy cluster "
              + token.proxyCluster()
              + " is gone, or has an IP address and its one proxy already",
          "delete that proxy first, or use a cluster with a domain name");
    }
    if (before.isEmpty() && !tx.tokens().use(tokenId, now)) {
      return Attempt.refused(
          "TOKEN_USED_UP",
          "this install command was used " + token.uses() + " times, as often as it allows",
          NEW_COMMAND);
    }
    Node node = before.orElseGet(() -> create(tx, token, facts, now));
    if (before.isPresent()) {
      tx.nodes().updateFacts(node.id(), facts);
      tx.sessions().forgetGeneration(node.id());
      // Whoever holds a copy of its old key is nobody from now on.
      revoked.revokeCertificates(
          tx,
          new NodeIdentity(fleet.id(), role, node.id()),
          tx.nodes().certificates(node.id()),
          "enrolled again");
    }
    Issued issued = issue(tx, new NodeIdentity(fleet.id(), role, node.id()), key);
    return new Attempt(
        issued,
        role == Role.RELAY ? relays.enrolled(tx, node.id()) : List.of(),
        before.isPresent());
  }

  /** The node that this host is already, when the command runs again. */
  private Optional<Node> existing(Tx tx, EnrollmentToken token, HostFacts facts) {
    if (!token.nodeId().isEmpty()) {
      return tx.nodes().find(token.nodeId());
    }
    if (facts.getMachineId().isEmpty()) {
      return Optional.empty();
    }
    return tx.nodes()
        .enrolledWith(token.id(), facts.getMachineId())
        // Clones of an image have its machine id and may have its name: only what asks again in
        // the same boot is the same host.
        .filter(node -> !token.imageSystem() || node.facts().getBootId().equals(facts.getBootId()))
        .filter(node -> node.facts().getHostName().equals(facts.getHostName()))
        // A copy of the disk beside the living original is a host of its own.
        .filter(
            node -> !live.isLive(node.id()) || node.facts().getBootId().equals(facts.getBootId()));
  }

  private Node create(Tx tx, EnrollmentToken token, HostFacts facts, long now) {
    String name = token.name().isEmpty() ? facts.getHostName() : token.name();
    String id = token.nodeId().isEmpty() ? Ids.newShort(random) : token.nodeId();
    Node node =
        new Node(
            id,
            token.role(),
            name.isBlank() ? id : name,
            token.group(),
            token.region(),
            token.serviceProvider(),
            token.tags(),
            token.proxyCluster(),
            token.id(),
            facts,
            now,
            0,
            0,
            "",
            Presence.NEW,
            0,
            0,
            Path.getDefaultInstance(),
            "",
            "",
            token.policy(),
            "");
    tx.nodes().create(node);
    return node;
  }

  private Issued issue(Tx tx, NodeIdentity identity, PublicKey key) {
    List<X509Certificate> chain = fleet.issue(identity, key, Validities.of(identity.role()));
    tx.nodes().addCertificate(identity.id(), chain.getFirst(), clock.millis());
    return new Issued(identity, chain);
  }

  private Refused refuse(String subject, String source, Refused refused) {
    limit.failed(source);
    // Before the event, so that whoever sees the event finds the command's state with it.
    var _ =
        store.write(tx -> {
          tx.tokens().refused(subject, refused.code());
          return subject;
        });
    String code = "enrollment.refused." + refused.code().toLowerCase(Locale.ROOT);
    events.record(code, subject, "from " + source + ": " + refused.message());
    return refused;
  }

  private static boolean sameSystem(String wanted, HostFacts facts) {
    String os = facts.getOs().toLowerCase(Locale.ROOT);
    // A Linux host names its distribution.
    return wanted.equals("linux")
        ? !os.contains("windows") && !os.contains("darwin")
        : os.contains(wanted.toLowerCase(Locale.ROOT));
  }
}
