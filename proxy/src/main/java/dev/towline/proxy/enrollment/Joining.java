package dev.towline.proxy.enrollment;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.backoff.FullJitter;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Becomes a member of the fleet, or one again after the certificate ran out, trying until a manager
 * has answered for good.
 *
 * <p>Threading: blocks the thread that starts the program. Failure: a refusal is a {@link
 * TowlineException} with {@link #REFUSED}; that no manager answers is none.
 */
public final class Joining {
  /** The manager said no; trying again does not help. */
  public static final ErrorCode REFUSED = ErrorCode.user("ENROLLMENT_REFUSED");

  private static final Logger log = LoggerFactory.getLogger(Joining.class);

  private final EnrollmentClient client;
  private final IdentityStore store;
  private final HostFacts facts;
  private final InstantSource clock;
  private final FullJitter jitter;

  public Joining(
      EnrollmentClient client,
      IdentityStore store,
      HostFacts facts,
      InstantSource clock,
      FullJitter jitter) {
    this.client = client;
    this.store = store;
    this.facts = facts;
    this.clock = clock;
    this.jitter = jitter;
  }

  /** With the certificate that is on the disk, renewed first when it has run out. */
  public FleetMember resume(
      IssuedIdentity identity, List<ServerAddress> servers, Revocations revocations)
      throws IOException, InterruptedException {
    var roots = store.roots();
    if (clock.instant().isBefore(identity.expires())) {
      return new FleetMember(store, identity, roots, revocations, clock);
    }
    log.warn("the certificate expired at {}, asking for another", identity.expires());
    return until(() -> client.recover(identity, roots, servers, facts, store), revocations);
  }

  /** With an install command's file. */
  public FleetMember enroll(EnrollmentFile file, Revocations revocations)
      throws InterruptedException {
    return until(() -> client.enroll(file, facts, store), revocations);
  }

  private interface Attempt {
    EnrollmentOutcome run() throws InterruptedException;
  }

  private FleetMember until(Attempt attempt, Revocations revocations) throws InterruptedException {
    while (true) {
      switch (attempt.run()) {
        case EnrollmentOutcome.Issued issued -> {
          log.info("enrolled as {}", issued.identity().identity());
          return new FleetMember(store, issued.identity(), issued.roots(), revocations, clock);
        }
        case EnrollmentOutcome.Refused refused -> {
          if (!refused.retryable()) {
            throw new TowlineException(
                REFUSED, refused.code() + ": " + refused.message(), refused.remedy());
          }
          log.warn("not enrolled yet: {}", refused.line());
        }
        case EnrollmentOutcome.Untrusted(String detail) ->
            throw new TowlineException(
                REFUSED,
                "who answers isn't the fleet of the install command: " + detail,
                "create a new install command");
        case EnrollmentOutcome.Unreachable(String detail) ->
            log.warn("no manager answers: {}", detail);
      }
      long wait = jitter.next().toNanos() + TimeUnit.MILLISECONDS.toNanos(100);
      LockSupport.parkNanos(this, wait);
      if (Thread.interrupted()) {
        throw new InterruptedException("enrollment was interrupted");
      }
    }
  }
}
