package dev.towline.runtime.enroll;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.backoff.FullJitter;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a program a member of its fleet when it starts: with what is on its disk, else with its
 * enrollment file, and with a new certificate when the old one has expired.
 *
 * <p>Below the data directory it keeps {@code identity/} and {@code config.json}. The enrollment
 * file is destroyed once it has served.
 */
public final class Membership {
  public static final ErrorCode NOT_ENROLLED = ErrorCode.user("NOT_ENROLLED");

  private static final Logger log = LoggerFactory.getLogger(Membership.class);
  private static final String SERVED = "enrolled-with";
  private static final Duration RETRY_BASE = Duration.ofSeconds(1);
  private static final Duration RETRY_CAP = Duration.ofSeconds(15);

  private final Path data;
  private final Role role;
  private final EnrollmentClient client;
  private final InstantSource clock;
  private final FullJitter backoff;
  private final CountDownLatch stop;
  private List<ServerAddress> instead = List.of();
  private boolean onlyListens;

  /**
   * @param stop ends the wait for a server that does not answer
   */
  public Membership(
      Path data,
      Role role,
      EnrollmentClient client,
      InstantSource clock,
      RandomGenerator random,
      CountDownLatch stop) {
    this.data = data;
    this.role = role;
    this.client = client;
    this.clock = clock;
    this.backoff = new FullJitter(RETRY_BASE, RETRY_CAP, random);
    this.stop = stop;
  }

  /** Asks these servers in place of those of the enrollment file: a child relay asks itself. */
  public Membership through(List<ServerAddress> servers) {
    instead = List.copyOf(servers);
    return this;
  }

  /**
   * It dials nobody: where no server answers, it goes on with the certificate that it has. What its
   * clock says of it may be wrong, and the manager that dials judges by its own.
   */
  public Membership onlyListens() {
    onlyListens = true;
    return this;
  }

  /** What starting came to. */
  public sealed interface Start {
    /** A member, with a certificate that is valid now. */
    record Ready(FleetMember member, NodeConfig config) implements Start {}

    /** The fleet doesn't want this program; trying again does not help. */
    record Refused(String line) implements Start {}

    /** Told to stop before there was an answer. */
    record Stopped() implements Start {}
  }

  /**
   * Blocks until the program is a member, is refused, or shall stop.
   *
   * @param enrollment the enrollment file, which may be gone when it has served
   * @param name what this host shall be called; empty to keep what it is called
   * @param facts of the host under a name
   * @throws TowlineException when there is neither an identity nor an enrollment file
   */
  public Start establish(
      Optional<Path> enrollment,
      String name,
      Function<String, HostFacts> facts,
      Revocations revocations)
      throws IOException, InterruptedException {
    Files.createDirectories(data);
    var store = new IdentityStore(data.resolve("identity"));
    Optional<EnrollmentFile> file =
        enrollment.filter(EnrollmentFile::isPresent).map(EnrollmentFile::read).map(this::directed);
    if (file.isPresent() && file.get().role() != role) {
      return new Start.Refused(
          "enrollment file is for role %s (expected: %s)"
              .formatted(file.get().role().label(), role.label()));
    }
    Optional<IssuedIdentity> known = store.load();
    if (known.isEmpty() && file.isEmpty()) {
      throw new TowlineException(
          NOT_ENROLLED,
          "this host is not enrolled and there is no enrollment file",
          "create an install command in the manager and run it here, or name its file with"
              + " --enrollment");
    }
    if (known.isPresent()
        && file.isPresent()
        && !file.get().fleet().equals(known.get().identity().fleet())) {
      return new Start.Refused(
          "this host is a member of fleet %s, the enrollment file is of fleet %s; uninstall first"
              .formatted(known.get().identity().fleet(), file.get().fleet()));
    }
    NodeConfig config = config(known.isPresent() ? file.filter(this::isNew) : file, file, name);
    HostFacts hostFacts = facts.apply(config.name());
    if (known.isEmpty()) {
      EnrollmentFile fresh = file.orElseThrow();
      return finish(
          enrollment,
          store,
          config,
          revocations,
          until(() -> client.enroll(fresh, hostFacts, store)));
    }
    IssuedIdentity identity = known.get();
    List<X509Certificate> roots = store.roots();
    if (clock.instant().isBefore(identity.expires())) {
      return finish(
          enrollment,
          store,
          config,
          revocations,
          Optional.of(new EnrollmentOutcome.Issued(identity, roots)));
    }
    log.warn("certificate expired at {}: asking for another one", identity.expires());
    Attempt recovery = () -> client.recover(identity, roots, config.servers(), hostFacts, store);
    return finish(
        enrollment,
        store,
        config,
        revocations,
        onlyListens
            ? Optional.of(orElsePresent(recovery.run(), identity, roots))
            : until(recovery));
  }

  private static EnrollmentOutcome orElsePresent(
      EnrollmentOutcome asked, IssuedIdentity identity, List<X509Certificate> roots) {
    if (asked instanceof EnrollmentOutcome.Unreachable(String detail)) {
      log.warn("nobody gives another certificate ({}); the manager that dials may", detail);
      return new EnrollmentOutcome.Issued(identity, roots);
    }
    return asked;
  }

  private EnrollmentFile directed(EnrollmentFile file) {
    return new EnrollmentFile(
        file.fleet(),
        file.role(),
        file.caFingerprint(),
        file.tokenId(),
        file.secret(),
        directed(file.servers()),
        file.settings());
  }

  private List<ServerAddress> directed(List<ServerAddress> servers) {
    return instead.isEmpty() ? servers : instead;
  }

  /** Written before the identity, so that whoever has an identity knows its servers. */
  private NodeConfig config(
      Optional<EnrollmentFile> file, Optional<EnrollmentFile> fallback, String name)
      throws IOException {
    Path path = data.resolve("config.json");
    Optional<NodeConfig> stored = NodeConfig.load(path);
    String called = name.isEmpty() ? stored.map(NodeConfig::name).orElse("") : name;
    NodeConfig config =
        file.map(f -> new NodeConfig(called, f.servers(), f.settings()))
            .or(() -> stored.map(s -> new NodeConfig(called, directed(s.servers()), s.settings())))
            .or(() -> fallback.map(f -> new NodeConfig(called, f.servers(), f.settings())))
            .orElseThrow(() -> new IOException(path + " is missing"));
    if (!stored.equals(Optional.of(config))) {
      config.save(path);
    }
    return config;
  }

  /** A file that can't be removed, in a container, only says where the fleet was at first. */
  private boolean isNew(EnrollmentFile file) {
    try {
      return !Files.readString(data.resolve(SERVED)).equals(file.tokenId());
    } catch (IOException _) {
      return true;
    }
  }

  private Start finish(
      Optional<Path> enrollment,
      IdentityStore store,
      NodeConfig config,
      Revocations revocations,
      Optional<EnrollmentOutcome> outcome)
      throws IOException {
    if (outcome.isEmpty()) {
      return new Start.Stopped();
    }
    return switch (outcome.get()) {
      case EnrollmentOutcome.Issued(var identity, var roots) -> {
        Optional<EnrollmentFile> served =
            enrollment.filter(EnrollmentFile::isPresent).map(EnrollmentFile::read);
        if (served.isPresent()) {
          DurableFiles.replace(
              data.resolve(SERVED), served.get().tokenId().getBytes(StandardCharsets.UTF_8));
        }
        if (enrollment.isPresent() && !EnrollmentFile.destroy(enrollment.get())) {
          log.warn(
              "the enrollment file {} can't be removed from here; it has served, remove it",
              enrollment.get());
        }
        yield new Start.Ready(new FleetMember(store, identity, roots, revocations, clock), config);
      }
      case EnrollmentOutcome.Refused refused -> new Start.Refused(refused.line());
      case EnrollmentOutcome.Untrusted untrusted -> new Start.Refused(untrusted.detail());
      case EnrollmentOutcome.Unreachable unreachable -> new Start.Refused(unreachable.detail());
    };
  }

  private interface Attempt {
    EnrollmentOutcome run() throws InterruptedException;
  }

  /** Tries until there is a verdict; empty when told to stop. */
  private Optional<EnrollmentOutcome> until(Attempt attempt) throws InterruptedException {
    while (true) {
      EnrollmentOutcome outcome = attempt.run();
      String why;
      switch (outcome) {
        case EnrollmentOutcome.Issued(var identity, _) -> {
          log.info("enrolled as {}", identity.identity());
          return Optional.of(outcome);
        }
        case EnrollmentOutcome.Refused refused -> {
          if (!refused.retryable()) {
            return Optional.of(outcome);
          }
          why = refused.line();
        }
        case EnrollmentOutcome.Untrusted untrusted -> why = untrusted.detail();
        case EnrollmentOutcome.Unreachable unreachable -> why = unreachable.detail();
      }
      Duration delay = backoff.next();
      log.warn("not enrolled yet: {}; trying again in {} ms", why, delay.toMillis());
      if (stop.await(delay.toMillis(), TimeUnit.MILLISECONDS)) {
        return Optional.empty();
      }
    }
  }
}
