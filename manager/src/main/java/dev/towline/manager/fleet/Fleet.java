package dev.towline.manager.fleet;

import com.google.protobuf.ByteString;
import dev.towline.manager.ids.Ids;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.runtime.sealed.RecordSeal;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fleet's authorities and the manager's own identity.
 *
 * <p>Lifecycle: {@link #open} makes whatever is missing below {@code <data>/ca} and {@code
 * <data>/identity}; {@link #renew} is to be called now and then.
 *
 * <p>Threading: safe for use by several threads.
 *
 * <p>Failure: a first start that was cut short goes on where it stopped; so does a change of the
 * root, see {@link Authorities}.
 */
public final class Fleet {
  public static final ErrorCode CA_PHASE = ErrorCode.user("CA_PHASE");

  private static final Logger log = LoggerFactory.getLogger(Fleet.class);

  private static final Duration MANAGER_CERTIFICATE = Duration.ofDays(7);
  private static final Duration DIRECTIVE_CERTIFICATE = Duration.ofDays(2);

  private final Authorities authorities;
  private final InstantSource clock;
  private final SecureRandom random;
  private final IdentityStore identityStore;
  private final List<String> hostNames;
  private final byte[] recordsKey;
  private final ByteString publicRecordsKey;
  private volatile Trusted trusted;
  private volatile IssuedIdentity manager;
  private volatile @Nullable IssuedIdentity rsa;
  private volatile DirectiveSigner signer;

  /** What follows from the authorities, as one. */
  private record Trusted(CertificateAuthority issuing, TrustAnchors anchors, CaState state) {}

  private Fleet(
      Authorities authorities,
      Path data,
      List<String> hostNames,
      InstantSource clock,
      SecureRandom random)
      throws IOException {
    this.authorities = authorities;
    this.identityStore = new IdentityStore(data.resolve("identity"));
    this.hostNames = List.copyOf(hostNames);
    this.clock = clock;
    this.random = random;
    this.recordsKey = recordsKey(data.resolve("ca").resolve("records.key"), random);
    this.publicRecordsKey = ByteString.copyFrom(RecordSeal.publicKey(recordsKey));
    authorities.renewIssuing();
    this.trusted = readTrusted();
    var stored = identityStore.load();
    // The names it is reached under may have changed since.
    this.manager =
        newManager(
            stored
                .map(IssuedIdentity::identity)
                .orElseGet(() ->
                    new NodeIdentity(authorities.fleet(), Role.MANAGER, Ids.newShort(random))));
    this.signer = newSigner();
  }

  /**
   * @param hostNames under which clients reach the manager by HTTPS
   */
  public static Fleet open(
      Path data, List<String> hostNames, InstantSource clock, SecureRandom random) {
    Path directory = data.resolve("ca");
    try {
      return new Fleet(Authorities.open(directory, clock, random), data, hostNames, clock, random);
    } catch (IOException e) {
      throw new UncheckedIOException("failed to open the fleet's authorities in " + directory, e);
    }
  }

  /** The fleet's name, part of every identity. */
  public String id() {
    return trusted.anchors().fleet();
  }

  /** The trusted ones, oldest first. */
  public List<X509Certificate> roots() {
    return trusted.anchors().roots();
  }

  /** Roots that are not trusted any more and lead to the trusted ones, oldest first. */
  public List<X509Certificate> retiredRoots() {
    return trusted.state().retired();
  }

  /** Every root there ever was, oldest first. */
  public List<X509Certificate> allRoots() {
    List<X509Certificate> all = new ArrayList<>(retiredRoots());
    all.addAll(roots());
    return all;
  }

  /** The root under which certificates are issued. */
  public X509Certificate activeRoot() {
    return trusted.state().active();
  }

  public TrustAnchors anchors() {
    return trusted.anchors();
  }

  /** Lower-case hexadecimal SHA-256 of the root, as install commands pin it. */
  public String rootFingerprint() {
    return Fingerprints.of(activeRoot());
  }

  public CaState caState() {
    return trusted.state();
  }

  /** The manager's own, for TLS of every kind. */
  public IssuedIdentity manager() {
    return manager;
  }

  /** The manager's RSA certificate for peers of older suites; empty where no profile wants one. */
  public Optional<IssuedIdentity> managerRsa() {
    return Optional.ofNullable(rsa);
  }

  /** From now on the manager has an RSA certificate too; making its key takes a moment. */
  public synchronized void needRsa() {
    if (rsa == null) {
      rsa = newRsa(Keys.newRsa(random));
    }
  }

  /** What agents seal to that leave something for this manager with a proxy. */
  public ByteString recordsKey() {
    return publicRecordsKey;
  }

  /**
   * What an agent sealed; empty when it was not sealed to {@link #recordsKey}, or changed since.
   */
  public Optional<byte[]> unsealed(SealedRecord record) {
    return RecordSeal.open(recordsKey, record);
  }

  /** What directives are signed with now. */
  public DirectiveSigner signer() {
    return signer;
  }

  /** A certificate for a member, with the chain it presents. */
  public List<X509Certificate> issue(NodeIdentity identity, PublicKey key, Duration validity) {
    Trusted now = trusted;
    return chain(now, now.issuing().issueLeaf(identity, key, validity));
  }

  /** Renews what has passed half of its life. */
  public synchronized void renew() {
    try {
      boolean otherIssuer = authorities.renewIssuing();
      if (otherIssuer) {
        trusted = readTrusted();
      }
      if (otherIssuer || clock.instant().isAfter(manager.halfLife())) {
        renewOwn();
        log.info("renewed the manager's certificate until {}", manager.expires());
      }
      if (clock.instant().isAfter(signer.halfLife())) {
        signer = newSigner();
      }
    } catch (IOException | RuntimeException e) {
      log.error("failed to renew the manager's certificates", e);
    }
  }

  /** Another key for directives at once; gives the serial number of the one before. */
  public synchronized String replaceSigner() {
    String before = signer.serial();
    signer = newSigner();
    return before;
  }

  /** Makes a new root, which members are told of; nothing is issued under it yet. */
  public synchronized CaState announceRoot() {
    expect(CaState.Phase.STEADY);
    return change(authorities::announce, false);
  }

  /** Issues under the announced root from now on, its own certificates first. */
  public synchronized CaState reissue() {
    expect(CaState.Phase.ANNOUNCED);
    return change(authorities::reissue, true);
  }

  /** Ends a change of the root: the other one is trusted no more. */
  public synchronized CaState finish() {
    expect(CaState.Phase.REISSUING, CaState.Phase.ROLLING_BACK);
    return change(authorities::forgetOther, false);
  }

  /** Takes a change of the root back, as far as it has come. */
  public synchronized CaState rollBack() {
    expect(CaState.Phase.ANNOUNCED, CaState.Phase.REISSUING);
    return caState().phase() == CaState.Phase.ANNOUNCED
        ? change(authorities::forgetOther, false)
        : change(authorities::takeBack, true);
  }

  private void expect(CaState.Phase... phases) {
    CaState.Phase phase = caState().phase();
    if (!List.of(phases).contains(phase)) {
      throw new TowlineException(
          CA_PHASE,
          "the change of the CA is in phase %s (expected: %s)"
              .formatted(
                  phase.label(),
                  Stream.of(phases).map(CaState.Phase::label).collect(Collectors.joining(" or "))),
          "see towline ca show");
    }
  }

  private interface Change {
    void run() throws IOException;
  }

  private CaState change(Change change, boolean otherIssuer) {
    try {
      change.run();
      trusted = readTrusted();
      if (otherIssuer) {
        renewOwn();
        signer = newSigner();
      } else {
        // The way from older roots is part of what it presents.
        manager = withWay(manager);
        rsa = rsa == null ? null : withWay(rsa);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("the authorities can't be written", e);
    }
    CaState state = caState();
    log.info(
        "CA {}: root {}{}",
        state.phase().label(),
        Fingerprints.of(state.active()),
        state.other().map(root -> ", and " + Fingerprints.of(root)).orElse(""));
    return state;
  }

  private Trusted readTrusted() {
    return new Trusted(
        authorities.issuing(),
        new TrustAnchors(authorities.fleet(), authorities.roots()),
        authorities.state());
  }

  /** Whoever knows an older root only finds the way to the present one in what is presented. */
  private static List<X509Certificate> chain(Trusted now, X509Certificate leaf) {
    return chain(now, leaf, now.issuing().certificate());
  }

  private static List<X509Certificate> chain(
      Trusted now, X509Certificate leaf, X509Certificate issuing) {
    List<X509Certificate> chain = new ArrayList<>(List.of(leaf, issuing));
    Stream.concat(now.state().retired().stream(), now.anchors().roots().stream())
        .filter(root -> !root.getIssuerX500Principal().equals(root.getSubjectX500Principal()))
        .forEach(chain::add);
    return chain;
  }

  private IssuedIdentity withWay(IssuedIdentity identity) {
    return new IssuedIdentity(
        identity.identity(),
        identity.key(),
        chain(trusted, identity.leaf(), identity.chain().get(1)));
  }

  private void renewOwn() throws IOException {
    manager = newManager(manager.identity());
    if (rsa != null) {
      rsa = newRsa(Keys.newRsa(random));
    }
  }

  private IssuedIdentity newManager(NodeIdentity identity) throws IOException {
    IssuedIdentity issued = issueOwn(identity, Keys.newP256(random));
    identityStore.save(issued, roots());
    return issued;
  }

  private IssuedIdentity newRsa(KeyPair pair) {
    return issueOwn(manager.identity(), pair);
  }

  private IssuedIdentity issueOwn(NodeIdentity identity, KeyPair pair) {
    Trusted now = trusted;
    return new IssuedIdentity(
        identity,
        pair.getPrivate(),
        chain(
            now,
            now.issuing().issueServer(identity, pair.getPublic(), MANAGER_CERTIFICATE, hostNames)));
  }

  private DirectiveSigner newSigner() {
    return DirectiveSigner.create(
        trusted.issuing(), manager.identity(), DIRECTIVE_CERTIFICATE, random);
  }

  private static byte[] recordsKey(Path file, SecureRandom random) throws IOException {
    if (Files.exists(file)) {
      return Base64.getDecoder().decode(Files.readString(file).strip());
    }
    byte[] key = RecordSeal.newKey(random);
    DurableFiles.replace(file, Base64.getEncoder().encode(key));
    return key;
  }
}
