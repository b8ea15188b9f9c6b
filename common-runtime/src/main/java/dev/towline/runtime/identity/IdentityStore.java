package dev.towline.runtime.identity;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;

/**
 * A program's identity on its disk: {@code identity.pem} (key, then chain) and {@code roots.pem}
 * below one directory, beside them {@code identity-rsa.pem} for listeners with older suites. Key
 * and chain stand in one file, because a crash between two would leave a key without its
 * certificate.
 */
public final class IdentityStore {
  private final Path directory;

  public IdentityStore(Path directory) {
    this.directory = directory;
  }

  /** Empty before enrollment. */
  public Optional<IssuedIdentity> load() throws IOException {
    return load(identityFile());
  }

  private static Optional<IssuedIdentity> load(Path file) throws IOException {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    List<X509Certificate> chain = Pems.readCertificates(file);
    if (chain.isEmpty()) {
      throw new IOException(file + ": no certificate (expected: key, then chain)");
    }
    PrivateKey key = Pems.readPrivateKey(file, chain.getFirst().getPublicKey().getAlgorithm());
    NodeIdentity identity =
        PeerVerifier.identityOf(chain.getFirst())
            .orElseThrow(() -> new IOException(file + ": certificate names nobody"));
    return Optional.of(new IssuedIdentity(identity, key, chain));
  }

  /** Returns when it is on the disk. */
  public void save(IssuedIdentity identity, List<X509Certificate> roots) throws IOException {
    saveRoots(roots);
    DurableFiles.replace(identityFile(), Pems.encodeKeyAndChain(identity.key(), identity.chain()));
  }

  /** The RSA certificate of a listener with older suites; empty when there is none. */
  public Optional<IssuedIdentity> loadRsa() throws IOException {
    return load(rsaFile());
  }

  public void saveRsa(IssuedIdentity identity) throws IOException {
    DurableFiles.replace(rsaFile(), Pems.encodeKeyAndChain(identity.key(), identity.chain()));
  }

  public void saveRoots(List<X509Certificate> roots) throws IOException {
    Pems.writeCertificates(rootsFile(), roots);
  }

  /** Oldest first; empty before enrollment. */
  public List<X509Certificate> roots() throws IOException {
    return Files.exists(rootsFile()) ? Pems.readCertificates(rootsFile()) : List.of();
  }

  private Path identityFile() {
    return directory.resolve("identity.pem");
  }

  private Path rsaFile() {
    return directory.resolve("identity-rsa.pem");
  }

  private Path rootsFile() {
    return directory.resolve("roots.pem");
  }
}
