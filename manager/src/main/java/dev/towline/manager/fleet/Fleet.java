package dev.towline.manager.fleet;

import dev.towline.manager.ids.Ids;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Pems;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.runtime.sealed.RecordSeal;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
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
 * <p>Failure: a first start that was cut short goes on where it stopped; an authority's key and
 * certificate are one file.
 */
public final class Fleet {
  private static final Logger log = LoggerFactory.getLogger(Fleet.class);

  private static final Duration MANAGER_CERTIFICATE = Duration.ofDays(7);
  private static final Duration DIRECTIVE_CERTIFICATE = Duration.ofDays(2);
  private static final Duration ISSUING_REMAINS = Duration.ofDays(90);

  private final String id;
  private final CertificateAuthority root;
  private final InstantSource clock;
  private final SecureRandom random;
  private final Path directory;
  private final IdentityStore identityStore;
  private final List<String> hostNames;
  private final byte[] recordsKey;
  private volatile CertificateAuthority issuing;
  private volatile IssuedIdentity manager;
  private volatile @Nullable IssuedIdentity rsa;
  private volatile DirectiveSigner signer;

  private Fleet(
      String id,
      CertificateAuthority root,
      CertificateAuthority issuing,
      Path data,
      List<String> hostNames,
      InstantSource clock,
      SecureRandom random)
      throws IOException {
    this.id = id;
    this.root = root;
    this.issuing = issuing;
    this.directory = data.resolve("ca");
    this.identityStore = new IdentityStore(data.resolve("identity"));
    this.hostNames = List.copyOf(hostNames);
    this.clock = clock;
    this.random = random;
    this.recordsKey = recordsKey(directory.resolve("records.key"), random);
    renewIssuing();
    var stored = identityStore.load();
    // The names it is reached under may have changed since.
    this.manager =
        newManager(
            stored
                .map(IssuedIdentity::identity)
                .orElseGet(() -> new NodeIdentity(id, Role.MANAGER, Ids.newShort(random))));
    this.signer = newSigner();
  }

  /**
   * @param hostNames under which clients reach the manager by HTTPS
   */
  public static Fleet open(
      Path data, List<String> hostNames, InstantSource clock, SecureRandom random) {
    Path directory = data.resolve("ca");
    try {
      Path name = directory.resolve("fleet");
      if (!Files.exists(name)) {
        DurableFiles.replace(name, Ids.newShort(random).getBytes(StandardCharsets.US_ASCII));
      }
      String id = Files.readString(name).strip();
      CertificateAuthority root =
          Files.exists(directory.resolve("root.pem"))
              ? load(directory.resolve("root.pem"), id, clock, random)
              : save(
                  directory.resolve("root.pem"), CertificateAuthority.newRoot(id, clock, random));
      CertificateAuthority issuing =
          Files.exists(directory.resolve("issuing.pem"))
              ? load(directory.resolve("issuing.pem"), id, clock, random)
              : save(directory.resolve("issuing.pem"), root.newIssuing());
      return new Fleet(id, root, issuing, data, hostNames, clock, random);
    } catch (IOException e) {
      throw new UncheckedIOException("failed to open the fleet's authorities in " + directory, e);
    }
  }

  /** The fleet's name, part of every identity. */
  public String id() {
    return id;
  }

  /** Oldest first. */
  public List<X509Certificate> roots() {
    return List.of(root.certificate());
  }

  public TrustAnchors anchors() {
    return new TrustAnchors(id, roots());
  }

  /** Lower-case hexadecimal SHA-256 of the root, as install commands pin it. */
  public String rootFingerprint() {
    return Fingerprints.of(root.certificate());
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
  public byte[] recordsKey() {
    return RecordSeal.publicKey(recordsKey);
  }

  /**
   * What an agent sealed; empty when it was not sealed to {@link #recordsKey}, or changed since.
   */
  public Optional<byte[]> unsealed(SealedRecord record) {
    return RecordSeal.open(recordsKey, record);
  }

  /** The CA that signs members now. */
  public X509Certificate issuingCertificate() {
    return issuing.certificate();
  }

  /** What directives are signed with now. */
  public DirectiveSigner signer() {
    return signer;
  }

  /** A certificate for a member, with the chain it presents. */
  public List<X509Certificate> issue(NodeIdentity identity, PublicKey key, Duration validity) {
    CertificateAuthority authority = issuing;
    return List.of(authority.issueLeaf(identity, key, validity), authority.certificate());
  }

  /** Renews what has passed half of its life. */
  public synchronized void renew() {
    try {
      renewIssuing();
      if (clock.instant().isAfter(manager.halfLife())) {
        manager = newManager(manager.identity());
        log.info("renewed the manager's certificate until {}", manager.expires());
        if (rsa != null) {
          rsa = newRsa(Keys.newRsa(random));
        }
      }
      if (clock.instant().isAfter(signer.halfLife())) {
        signer = newSigner();
      }
    } catch (IOException e) {
      log.error("failed to renew the manager's certificates", e);
    }
  }

  private void renewIssuing() throws IOException {
    if (clock
        .instant()
        .plus(ISSUING_REMAINS)
        .isAfter(issuing.certificate().getNotAfter().toInstant())) {
      issuing = save(directory.resolve("issuing.pem"), root.newIssuing());
      log.info("renewed the issuing CA until {}", issuing.certificate().getNotAfter());
    }
  }

  private IssuedIdentity newManager(NodeIdentity identity) throws IOException {
    KeyPair pair = Keys.newP256(random);
    IssuedIdentity issued =
        new IssuedIdentity(
            identity,
            pair.getPrivate(),
            List.of(
                issuing.issueServer(identity, pair.getPublic(), MANAGER_CERTIFICATE, hostNames),
                issuing.certificate()));
    identityStore.save(issued, roots());
    return issued;
  }

  private IssuedIdentity newRsa(KeyPair pair) {
    NodeIdentity identity = manager.identity();
    return new IssuedIdentity(
        identity,
        pair.getPrivate(),
        List.of(
            issuing.issueServer(identity, pair.getPublic(), MANAGER_CERTIFICATE, hostNames),
            issuing.certificate()));
  }

  private DirectiveSigner newSigner() {
    return DirectiveSigner.create(issuing, manager.identity(), DIRECTIVE_CERTIFICATE, random);
  }

  private static byte[] recordsKey(Path file, SecureRandom random) throws IOException {
    if (Files.exists(file)) {
      return Base64.getDecoder().decode(Files.readString(file).strip());
    }
    byte[] key = RecordSeal.newKey(random);
    DurableFiles.replace(file, Base64.getEncoder().encode(key));
    return key;
  }

  private static CertificateAuthority load(
      Path file, String id, InstantSource clock, SecureRandom random) throws IOException {
    return new CertificateAuthority(
        id, Pems.readCertificates(file).getFirst(), Pems.readPrivateKey(file), clock, random);
  }

  /** Key and certificate in one file, because a crash between two would leave a useless key. */
  private static CertificateAuthority save(Path file, CertificateAuthority authority)
      throws IOException {
    String key =
        "-----BEGIN PRIVATE KEY-----\n"
            + Base64.getMimeEncoder(64, new byte[] {'\n'})
                .encodeToString(authority.key().getEncoded())
            + "\n-----END PRIVATE KEY-----\n";
    byte[] certificate = Pems.encodeCertificates(List.of(authority.certificate()));
    DurableFiles.replace(
        file,
        (key + new String(certificate, StandardCharsets.US_ASCII))
            .getBytes(StandardCharsets.US_ASCII));
    return authority;
  }
}
