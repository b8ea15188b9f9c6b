package dev.towline.manager.fleet;

import dev.towline.manager.fleet.CaState.Phase;
import dev.towline.manager.ids.Ids;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Pems;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fleet's authorities on the disk: one root with its issuing CA, two while the root is being
 * changed.
 *
 * <p>Lifecycle: {@link #open} makes whatever is missing below a directory. Threading: confined to
 * the lock of its {@link Fleet}. Failure: a change is written to new files first and comes into
 * force with one replaced file, {@code state}; a key and its certificate are one file.
 */
final class Authorities {
  private static final Logger log = LoggerFactory.getLogger(Authorities.class);
  private static final Duration ISSUING_REMAINS = Duration.ofDays(90);
  private static final int FIRST = 1;

  private final Path directory;
  private final String fleet;
  private final InstantSource clock;
  private final SecureRandom random;
  private Phase phase;
  private Instant since;
  private int newest;
  private Pair active;
  private @Nullable Pair other;
  private List<X509Certificate> retired;

  /** A root and the CA under it that issues. */
  private record Pair(int number, CertificateAuthority root, CertificateAuthority issuing) {}

  private Authorities(Path directory, String fleet, InstantSource clock, SecureRandom random)
      throws IOException {
    this.directory = directory;
    this.fleet = fleet;
    this.clock = clock;
    this.random = random;
    Map<String, String> state = readState();
    this.phase = Phase.valueOf(state.getOrDefault("phase", Phase.STEADY.name()));
    this.since = Instant.ofEpochMilli(Long.parseLong(state.getOrDefault("since", "0")));
    this.newest = Integer.parseInt(state.getOrDefault("newest", String.valueOf(FIRST)));
    this.active = pair(Integer.parseInt(state.getOrDefault("active", String.valueOf(FIRST))));
    this.other = state.containsKey("other") ? pair(Integer.parseInt(state.get("other"))) : null;
    Path retiredFile = directory.resolve("retired.pem");
    this.retired = Files.exists(retiredFile) ? Pems.readCertificates(retiredFile) : List.of();
  }

  static Authorities open(Path directory, InstantSource clock, SecureRandom random)
      throws IOException {
    Path name = directory.resolve("fleet");
    if (!Files.exists(name)) {
      DurableFiles.replace(name, Ids.newShort(random).getBytes(StandardCharsets.US_ASCII));
    }
    return new Authorities(directory, Files.readString(name).strip(), clock, random);
  }

  String fleet() {
    return fleet;
  }

  CertificateAuthority issuing() {
    return active.issuing();
  }

  /** Oldest first. */
  List<X509Certificate> roots() {
    Pair second = other;
    if (second == null) {
      return List.of(active.root().certificate());
    }
    X509Certificate here = active.root().certificate();
    X509Certificate there = second.root().certificate();
    return active.number() < second.number() ? List.of(here, there) : List.of(there, here);
  }

  CaState state() {
    return new CaState(
        phase,
        active.root().certificate(),
        active.issuing().certificate(),
        Optional.ofNullable(other).map(pair -> pair.root().certificate()),
        retired,
        since);
  }

  /** A new root is made and told to members; nothing is issued under it yet. */
  void announce() throws IOException {
    int number = newest + 1;
    CertificateAuthority root = active.root().newSuccessor(number);
    CertificateAuthority issuing = root.newIssuing();
    save(rootFile(number), root);
    save(issuingFile(number), issuing);
    put(Phase.ANNOUNCED, active, new Pair(number, root, issuing), number);
  }

  /** From now on certificates are issued under the root that was announced. */
  void reissue() throws IOException {
    Pair announced = second();
    put(Phase.REISSUING, announced, active, newest);
  }

  /** Certificates are issued under the root of before again. */
  void takeBack() throws IOException {
    Pair before = second();
    put(Phase.ROLLING_BACK, before, active, newest);
  }

  /** The other root is not trusted any more, and its key is gone. */
  void forgetOther() throws IOException {
    Pair gone = second();
    if (gone.number() < active.number()) {
      List<X509Certificate> more = new ArrayList<>(retired);
      more.add(gone.root().certificate());
      Pems.writeCertificates(directory.resolve("retired.pem"), more);
      retired = List.copyOf(more);
    }
    put(Phase.STEADY, active, null, newest);
    Files.deleteIfExists(rootFile(gone.number()));
    Files.deleteIfExists(issuingFile(gone.number()));
  }

  /** Renews the issuing CA when its end comes near; gives whether it did. */
  boolean renewIssuing() throws IOException {
    X509Certificate present = active.issuing().certificate();
    if (!clock.instant().plus(ISSUING_REMAINS).isAfter(present.getNotAfter().toInstant())) {
      return false;
    }
    CertificateAuthority issuing = active.root().newIssuing();
    save(issuingFile(active.number()), issuing);
    active = new Pair(active.number(), active.root(), issuing);
    log.info("renewed the issuing CA until {}", issuing.certificate().getNotAfter());
    return true;
  }

  private Pair second() {
    if (other == null) {
      throw new IllegalStateException("there is one root only");
    }
    return other;
  }

  private void put(Phase next, Pair nextActive, @Nullable Pair nextOther, int nextNewest)
      throws IOException {
    Instant now = clock.instant();
    var text = new StringBuilder();
    text.append("phase=").append(next.name()).append('\n');
    text.append("since=").append(now.toEpochMilli()).append('\n');
    text.append("newest=").append(nextNewest).append('\n');
    text.append("active=").append(nextActive.number()).append('\n');
    if (nextOther != null) {
      text.append("other=").append(nextOther.number()).append('\n');
    }
    DurableFiles.replace(
        directory.resolve("state"), text.toString().getBytes(StandardCharsets.US_ASCII));
    phase = next;
    since = now;
    newest = nextNewest;
    active = nextActive;
    other = nextOther;
  }

  private Map<String, String> readState() throws IOException {
    Map<String, String> state = new HashMap<>();
    Path file = directory.resolve("state");
    if (Files.exists(file)) {
      for (String line : Files.readAllLines(file, StandardCharsets.US_ASCII)) {
        int equals = line.indexOf('=');
        if (equals > 0) {
          state.put(line.substring(0, equals), line.substring(equals + 1));
        }
      }
    }
    return state;
  }

  private Pair pair(int number) throws IOException {
    CertificateAuthority root =
        Files.exists(rootFile(number)) || number != FIRST
            ? load(rootFile(number))
            : save(rootFile(number), CertificateAuthority.newRoot(fleet, clock, random));
    CertificateAuthority issuing =
        Files.exists(issuingFile(number))
            ? load(issuingFile(number))
            : save(issuingFile(number), root.newIssuing());
    return new Pair(number, root, issuing);
  }

  private Path rootFile(int number) {
    return directory.resolve(number == FIRST ? "root.pem" : "root-" + number + ".pem");
  }

  private Path issuingFile(int number) {
    return directory.resolve(number == FIRST ? "issuing.pem" : "issuing-" + number + ".pem");
  }

  private CertificateAuthority load(Path file) throws IOException {
    return new CertificateAuthority(
        fleet, Pems.readCertificates(file).getFirst(), Pems.readPrivateKey(file), clock, random);
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
