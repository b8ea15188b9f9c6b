package dev.towline.manager.session;

import dev.towline.manager.events.Events;
import dev.towline.manager.fleet.CaState;
import dev.towline.manager.fleet.CaState.Phase;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.fleet.Revoked;
import dev.towline.manager.fleet.TrustStore.MemberTrust;
import dev.towline.manager.store.Store;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes the fleet's root while everything runs (T3): members are told of the new root, get
 * certificates under it once all of them trust it, and then the old one is given up. Each step can
 * be taken back until then.
 *
 * <p>Lifecycle: {@link #tick} is to be called every second. Threading: safe for use by several
 * threads; {@link #tick} by one at a time. Failure: the phase is on the disk before anybody is told
 * of it; a manager that ends in between goes on where it was.
 */
public final class CaRotation {
  public static final ErrorCode LEFT_BEHIND = ErrorCode.user("CA_MEMBERS_LEFT_BEHIND");

  private static final Logger log = LoggerFactory.getLogger(CaRotation.class);

  /** Each of them opens a new session; the others have theirs meanwhile. */
  private static final int RENEWALS_PER_SECOND = 100;

  private static final Duration ASK_AGAIN = Duration.ofMinutes(1);
  private static final Duration WARN_BEFORE = Duration.ofDays(30);
  private static final Duration WARN_AGAIN = Duration.ofDays(1);
  private static final int NAMED = 10;

  private final Store store;
  private final Fleet fleet;
  private final Revoked revoked;
  private final SessionRegistry registry;
  private final Events events;
  private final InstantSource clock;
  private final Map<NodeSession, Instant> asked = new HashMap<>();
  private long pushedRevocations;
  private Instant warned = Instant.MIN;

  CaRotation(
      Store store,
      Fleet fleet,
      Revoked revoked,
      SessionRegistry registry,
      Events events,
      InstantSource clock) {
    this.store = store;
    this.fleet = fleet;
    this.revoked = revoked;
    this.registry = registry;
    this.events = events;
    this.clock = clock;
    this.pushedRevocations = revoked.number();
  }

  /**
   * How far the change has come.
   *
   * @param trusting members that trust the root which is to stay
   * @param certified members whose last certificate was issued under the present CA
   */
  public record Progress(CaState state, int members, int trusting, int certified, List<Left> left) {
    public Progress {
      left = List.copyOf(left);
    }

    boolean everybodyTrusts() {
      return trusting == members;
    }
  }

  /** A member that the change has not reached, and what it lacks. */
  public record Left(MemberTrust member, String lacks) {}

  public Progress progress() {
    CaState state = fleet.caState();
    List<MemberTrust> members = store.read(tx -> tx.trust().members());
    String wanted = Fingerprints.of(state.target());
    String issuer = Fingerprints.of(state.issuing());
    int trusting = 0;
    int certified = 0;
    List<Left> left = new ArrayList<>();
    for (MemberTrust member : members) {
      boolean trusts = member.roots().contains(wanted);
      boolean holds = member.issuer().equals(issuer);
      trusting += trusts ? 1 : 0;
      certified += holds ? 1 : 0;
      if (state.phase() != Phase.STEADY && !trusts) {
        left.add(new Left(member, "does not trust the new root"));
      } else if (state.phase() != Phase.STEADY && state.phase() != Phase.ANNOUNCED && !holds) {
        left.add(new Left(member, "has a certificate of the old CA"));
      }
    }
    return new Progress(state, members.size(), trusting, certified, left);
  }

  /**
   * Begins a change, or takes it to its next phase.
   *
   * @param leaveBehind goes on although some members do not trust the new root yet
   */
  public Progress rotate(boolean leaveBehind) {
    if (fleet.caState().phase() == Phase.STEADY) {
      fleet.announceRoot();
    } else {
      refuseToLeave(progress(), leaveBehind || fleet.caState().phase() != Phase.ANNOUNCED);
      fleet.reissue();
    }
    tellAll();
    return progress();
  }

  /**
   * Ends a change: the other root is not trusted any more.
   *
   * @param leaveBehind ends it although some members have no certificate of the present CA; those
   *     recover with the key that they have
   */
  public Progress finish(boolean leaveBehind) {
    refuseToLeave(progress(), leaveBehind || !reissues());
    fleet.finish();
    tellAll();
    registry.all().forEach(NodeSession::check);
    return progress();
  }

  public Progress rollBack() {
    fleet.rollBack();
    tellAll();
    return progress();
  }

  /**
   * The manager's present key for directives is trusted no more, by nobody; there is another one at
   * once.
   */
  public void revokeDirectiveKey(String reason) {
    String serial = fleet.replaceSigner();
    store.commit(tx -> {
      // Longer than it could have lived.
      long expires = clock.instant().plus(Duration.ofDays(30)).toEpochMilli();
      revoked.revokeCertificate(tx, serial, fleet.manager().identity(), expires, reason);
      return serial;
    });
    revoked.reload();
    pushRevocations();
    events.record("directive_key.revoked", fleet.manager().identity().id(), serial + ": " + reason);
  }

  /** What is due. */
  void tick() {
    pushRevocations();
    warn();
    CaState state = fleet.caState();
    if (state.phase() == Phase.ANNOUNCED) {
      if (progress().everybodyTrusts()) {
        log.info("every member trusts the new root");
        fleet.reissue();
        tellAll();
      }
    } else if (reissues()) {
      askToRenew(state.issuing());
    } else {
      asked.clear();
    }
  }

  private boolean reissues() {
    return fleet.caState().phase() == Phase.REISSUING
        || fleet.caState().phase() == Phase.ROLLING_BACK;
  }

  /** Revocations of single certificates come in numbers; all of a second go out together. */
  private synchronized void pushRevocations() {
    long number = revoked.number();
    if (number > pushedRevocations) {
      pushedRevocations = number;
      registry.all().forEach(NodeSession::check);
      registry.all().forEach(NodeSession::sendRevocations);
    }
  }

  private void tellAll() {
    registry.all().forEach(session -> session.tellTrust(false));
  }

  private void askToRenew(X509Certificate issuing) {
    Instant now = clock.instant();
    asked.keySet().retainAll(registry.all());
    int left = RENEWALS_PER_SECOND;
    for (NodeSession session : registry.all()) {
      List<X509Certificate> chain = session.peer().chain();
      Instant last = asked.getOrDefault(session, Instant.MIN);
      if (left > 0
          && chain.size() > 1
          && !chain.get(1).equals(issuing)
          && (last.equals(Instant.MIN) || now.isAfter(last.plus(ASK_AGAIN)))) {
        left--;
        asked.put(session, now);
        session.tellTrust(true);
      }
    }
  }

  /** Nothing of the fleet's own should end by surprise. */
  private void warn() {
    Instant now = clock.instant();
    if (!warned.equals(Instant.MIN) && now.isBefore(warned.plus(WARN_AGAIN))) {
      return;
    }
    warned = now;
    CaState state = fleet.caState();
    ends("the fleet's root", state.active(), "change it: towline ca rotate", now);
    ends("the issuing CA", state.issuing(), "see the manager's log: it renews itself", now);
    Instant own = fleet.manager().expires();
    if (own.isBefore(now.plus(Duration.ofDays(1)))) {
      events.record(
          "certificate.expiring",
          fleet.manager().identity().id(),
          "the manager's certificate ends at " + own + "; see its log: it renews itself");
    }
  }

  private void ends(String what, X509Certificate certificate, String remedy, Instant now) {
    Instant end = certificate.getNotAfter().toInstant();
    if (end.isBefore(now.plus(WARN_BEFORE))) {
      events.record(
          "certificate.expiring",
          Fingerprints.of(certificate),
          "%s ends at %s, in %d days; %s"
              .formatted(what, end, Duration.between(now, end).toDays(), remedy));
    }
  }

  private static void refuseToLeave(Progress progress, boolean anyway) {
    if (anyway || progress.left().isEmpty()) {
      return;
    }
    List<String> names =
        progress.left().stream()
            .limit(NAMED)
            .map(left -> left.member().name() + " (" + left.lacks() + ")")
            .toList();
    int more = progress.left().size() - names.size();
    throw new TowlineException(
        LEFT_BEHIND,
        "%d of %d members would be left behind: %s%s"
            .formatted(
                progress.left().size(),
                progress.members(),
                String.join(", ", names),
                more > 0 ? " and " + more + " more" : ""),
        "wait until they are online, see towline ca show; or go on with --leave-behind: they get"
            + " in again with the key that they have");
  }
}
