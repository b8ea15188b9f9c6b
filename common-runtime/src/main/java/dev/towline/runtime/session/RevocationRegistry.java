package dev.towline.runtime.session;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.Revocation;
import dev.towline.proto.v1.RevocationList;
import dev.towline.proto.v1.RevocationStatement;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Signatures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashSet;
import java.util.Set;

/**
 * The newest revocation list that this program has seen: signed, numbered, kept on the disk, so
 * that a program without contact goes on refusing what was revoked.
 *
 * <p>Threading: thread-safe. Failure: a list that is not newer, or not signed by a manager of the
 * fleet, changes nothing.
 */
public final class RevocationRegistry implements Revocations {
  /** The context of the signature. */
  public static final String SIGNATURE_CONTEXT = "towline revocations v1";

  private final Path file;
  private volatile Known known = new Known(0, Set.of(), Set.of());

  private RevocationRegistry(Path file) {
    this.file = file;
  }

  private record Known(long number, Set<String> serials, Set<String> identities) {}

  /** Loads what was stored; its signature was checked before it was. */
  public static RevocationRegistry open(Path file) throws IOException {
    var registry = new RevocationRegistry(file);
    if (Files.exists(file)) {
      try {
        registry.use(
            RevocationStatement.parseFrom(
                RevocationList.parseFrom(Files.readAllBytes(file)).getStatement()));
      } catch (InvalidProtocolBufferException e) {
        throw new IOException(file + ": no revocation list", e);
      }
    }
    return registry;
  }

  /** Number of the list in force, 0 when there is none. */
  public long number() {
    return known.number();
  }

  @Override
  public boolean isRevoked(NodeIdentity identity, String serial) {
    Known now = known;
    return now.serials().contains(serial) || now.identities().contains(identity.uri());
  }

  /** Takes a list that is newer and rightly signed; false when it changes nothing. */
  public synchronized boolean update(RevocationList list, PeerVerifier verifier, Instant now)
      throws IOException {
    RevocationStatement statement;
    try {
      var chain = Certificates.fromProto(list.getSignerChainList());
      if (!(verifier.checkDirectiveSigner(chain, now) instanceof PeerCheck.Trusted(_, var leaf))
          || !Signatures.verifyEd25519(
              Signatures.ed25519Key(leaf.getPublicKey()),
              SIGNATURE_CONTEXT,
              list.getStatement().toByteArray(),
              list.getSignature().toByteArray())) {
        return false;
      }
      statement = RevocationStatement.parseFrom(list.getStatement());
    } catch (IllegalArgumentException | InvalidProtocolBufferException e) {
      return false;
    }
    if (Long.compareUnsigned(statement.getNumber(), known.number()) <= 0) {
      return false;
    }
    DurableFiles.replace(file, list.toByteArray());
    use(statement);
    return true;
  }

  private void use(RevocationStatement statement) {
    Set<String> serials = new HashSet<>();
    Set<String> identities = new HashSet<>();
    for (Revocation revocation : statement.getRevokedList()) {
      if (revocation.getSerial().isEmpty()) {
        identities.add(revocation.getIdentity());
      } else {
        serials.add(revocation.getSerial());
      }
    }
    known = new Known(statement.getNumber(), Set.copyOf(serials), Set.copyOf(identities));
  }
}
