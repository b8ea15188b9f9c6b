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
 * below one directory. Key and chain stand in one file, because a crash between two would leave a
 * key without its certificate.
 */
public final class IdentityStore {
  private final Path directory;

  public IdentityStore(Path directory) {
    this.directory = directory;
  }

  /** Empty before enrollment. */
  public Optional<IssuedIdentity> load() throws IOException {
    if (!Files.exists(identityFile())) {
      return Optional.empty();
    }
    PrivateKey key = Pems.readPrivateKey(identityFile());
    List<X509Certificate> chain = Pems.readCertificates(identityFile());
    if (chain.isEmpty()) {
      throw new IOException(identityFile() + ": no certificate (expected: key, then chain)");
    }
    NodeIdentity identity =
        PeerVerifier.identityOf(chain.getFirst())
            .orElseThrow(() -> new IOException(identityFile() + ": certificate names nobody"));
    return Optional.of(new IssuedIdentity(identity, key, chain));
  }

  /** Returns when it is on the disk. */
  public void save(IssuedIdentity identity, List<X509Certificate> roots) throws IOException {
    saveRoots(roots);
    DurableFiles.replace(identityFile(), Pems.encodeKeyAndChain(identity.key(), identity.chain()));
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

  private Path rootsFile() {
    return directory.resolve("roots.pem");
  }
}
