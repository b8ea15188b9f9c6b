package dev.towline.runtime.session;

import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Attach;
import dev.towline.proto.v1.CallRequest;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.RevocationList;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.backoff.FullJitter;
import dev.towline.runtime.directive.DirectiveVerifier;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.identity.FleetTime;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedFailure;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.session.DialOrder.Target;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.netty.shaded.io.netty.buffer.UnpooledByteBufAllocator;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread behind a {@link NodeSession}: takes what happened, lets the conversations decide, puts
 * the journal on the disk once for all of it, and only then lets anything out.
 *
 * <p>At most two links exist: the present one, and one that shall take its place (after a renewal,
 * or when a proxy drains); the old one goes when the new one is welcomed.
 */
final class SessionLoop {
  private static final Logger log = LoggerFactory.getLogger(NodeSession.class);
  private static final int BATCH = 256;
  private static final long NEVER = Long.MAX_VALUE;

  private final NodeSession.Parts parts;
  private final Consumer<AcceptedDirective> runner;
  private final NodeLedger ledger;
  private final DirectiveVerifier verifier;
  private final FullJitter backoff;
  private final CertificateRecovery recovery;
  private final MemberUpdates updates;
  private final BlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
  private final List<Runnable> afterSync = new ArrayList<>();
  private final CompletableFuture<Void> stopped = new CompletableFuture<>();

  private @Nullable SessionLink present;
  private @Nullable SessionLink next;
  private @Nullable Tls tls;
  private @Nullable LogFeed logs;
  private @Nullable SessionLink logLink;
  private final RecordCopies copies;
  private @Nullable SessionLink copyLink;
  private long copyAt = NEVER;
  private boolean copying;
  private List<ServerAddress> servers;
  private final AddressBook book;
  private final Deque<Target> candidates = new ArrayDeque<>();
  private @Nullable Target served;
  private int alternatives;
  private boolean lookingUp;
  private long dialAt = NEVER;
  private @Nullable Move move;
  private @Nullable Duration heartbeatInterval;
  private Direction direction = Direction.BIDIRECTIONAL;
  private int listenPort;
  private long calls;
  private @Nullable ContactRules contact;
  private boolean answered;
  private boolean online;
  private boolean tamperingTold;
  private String lastEnd = "";
  private boolean stopping;

  /** Between two contacts of the short-lived form. */
  private boolean waiting;

  /** To be said in a contact for this alone, which has begun. */
  private Goodbye.@Nullable Reason farewell;

  private long stopBy = NEVER;
  private boolean done;

  SessionLoop(NodeSession.Parts parts, Consumer<AcceptedDirective> runner) {
    this.parts = parts;
    this.runner = runner;
    this.servers = parts.servers();
    this.book =
        new AddressBook(
            parts.channels(),
            parts.random(),
            this::post,
            problems -> afterSync.add(() -> parts.observer().unresolved(problems)));
    NodeIdentity self = parts.member().self();
    this.ledger = new NodeLedger(self, parts.journal(), parts.clock(), parts.random());
    this.updates = new MemberUpdates(parts, ledger, this::securityEvent);
    this.copies = new RecordCopies(ledger);
    FleetTime time = parts.member().time();
    time.raiseFloor(Instant.ofEpochMilli(parts.journal().timeFloorMs()));
    ledger.tellsTime(time::learn);
    this.verifier = new DirectiveVerifier(self, parts.member().verifier());
    this.backoff =
        new FullJitter(SessionTimings.BACKOFF_BASE, SessionTimings.BACKOFF_CAP, parts.random());
    this.recovery =
        new CertificateRecovery(parts.member(), parts.channels(), parts.random(), now());
  }

  void start() {
    post(() -> dialAt = direction.agentDials() ? now() : NEVER);
    parts.threads().newThread(this::run).start();
  }

  void post(Runnable event) {
    events.add(event);
  }

  CompletableFuture<Void> stop(Goodbye.Reason reason) {
    post(() -> beginStop(reason));
    return stopped;
  }

  /** From now on these servers; a session with another than the first goes on until that stands. */
  void servers(List<ServerAddress> wanted) {
    if (stopping) {
      return;
    }
    use(wanted);
    if (present != null && next == null && !wanted.getFirst().equals(present.server())) {
      log.info("moving from {} to {}", present, wanted);
      begin(Move.once(wanted));
    }
  }

  private void use(List<ServerAddress> wanted) {
    servers = wanted;
    candidates.clear();
    served = null;
  }

  /**
   * Tries other servers while the present session goes on, and uses them once a heartbeat went
   * there and back; otherwise nothing changes. Completes with empty when they are used, else with
   * why not.
   */
  void tryMove(
      List<ServerAddress> wanted, Duration limit, CompletableFuture<Optional<String>> outcome) {
    if (stopping) {
      outcome.complete(Optional.of("the program stops"));
      return;
    }
    if (present != null && present.core != null && wanted.contains(present.server())) {
      use(wanted);
      outcome.complete(Optional.empty());
      return;
    }
    begin(Move.trial(wanted, now() + limit.toNanos(), outcome));
  }

  /** The same servers over another connection, although the present one works. */
  void reconnect(Duration limit, CompletableFuture<Optional<String>> outcome) {
    if (stopping) {
      outcome.complete(Optional.of("the program stops"));
      return;
    }
    if (direction.agentDials()) {
      begin(Move.trial(servers, now() + limit.toNanos(), outcome));
    } else if (!call(listenPort, limit, outcome)) {
      // A manager that has lost this node dials it by itself, which proves as much.
      log.debug("waiting for the manager to dial, which can't be asked to");
    }
  }

  /** Uses other servers although they may not answer; the present session ends after a moment. */
  void leaveTo(List<ServerAddress> wanted) {
    endMove("other servers are to be used");
    use(wanted);
    SessionLink left = present;
    if (left != null) {
      // Long enough for what waits to be sent.
      left.leaveAt = now() + SessionTimings.LEAVE_DELAY.toNanos();
    }
  }

  /** Tries to get to the servers by dialling, whoever dialled the present session. */
  void tryDial(Duration limit, CompletableFuture<Optional<String>> outcome) {
    if (present != null
        && present.core != null
        && present.core.isWelcomed()
        && !present.isAttached()) {
      outcome.complete(Optional.empty());
    } else {
      tryMove(servers, limit, outcome);
    }
  }

  /** Tries to be dialled by the manager while the present session goes on. */
  void tryCall(int port, Duration limit, CompletableFuture<Optional<String>> outcome) {
    if (stopping) {
      outcome.complete(Optional.of("the program stops"));
      return;
    }
    if (!call(port, limit, outcome)) {
      endMove("there is no session over which the manager could be asked to dial");
    }
  }

  /** False when there is nobody to ask yet: then it is asked over the session that comes about. */
  private boolean call(int port, Duration limit, CompletableFuture<Optional<String>> outcome) {
    endMove("another move was ordered");
    Move wanted = Move.call(++calls, port, now() + limit.toNanos(), outcome);
    move = wanted;
    return ask(wanted);
  }

  private boolean ask(Move wanted) {
    Duration left = Duration.ofNanos(wanted.deadline - now());
    wanted.asked = ask(wanted.call, wanted.port, left);
    return wanted.asked;
  }

  private boolean ask(long number, int port, Duration limit) {
    return sendNow(
        AgentFrame.newBuilder()
            .setCall(
                CallRequest.newBuilder()
                    .setNumber(number)
                    .setPort(port)
                    .setLimitMs(limit.toMillis()))
            .build(),
        true);
  }

  /** Who dials whom from now on. */
  void direction(Direction wanted, int port) {
    direction = wanted;
    listenPort = port;
    for (SessionLink link : new SessionLink[] {present, next}) {
      boolean fits = link == null || (link.isAttached() ? wanted.listens() : wanted.agentDials());
      if (!fits) {
        link.leaveAt = now() + SessionTimings.LEAVE_DELAY.toNanos();
      }
    }
    if (!wanted.agentDials()) {
      dialAt = NEVER;
    } else if (present == null && dialAt == NEVER && !lookingUp) {
      dialAt = now();
    }
    boolean welcomed = present != null && present.core != null && present.core.isWelcomed();
    contact =
        wanted == Direction.AGENT_INITIATED_SHORT && welcomed ? new ContactRules(now()) : null;
  }

  void heartbeatNow() {
    if (present != null && present.core != null) {
      present.core.heartbeatNow(now());
    }
  }

  /** A manager dialled this node. */
  void attached(AttachedCarrier carrier, ServerAddress from) {
    boolean asked = move != null && move.isCall();
    if (stopping || next != null || !(asked || direction.listens())) {
      carrier.release("not now");
      return;
    }
    var link =
        new SessionLink(
            new Target(from, from),
            parts.member().identity(),
            carrier,
            true,
            e -> post(() -> on(e)));
    link.deadline = now() + SessionTimings.WELCOME_LIMIT.toNanos();
    if (present == null) {
      present = link;
      dialAt = NEVER;
    } else {
      next = link;
    }
    if (asked && move != null && move.link == null) {
      move.link = link;
    }
    link.open();
  }

  private void attach(SessionLink link, Attach attach) {
    if (!link.isAttached() || link.core != null || link.peer() == null) {
      lose(link, "%s sent what only a manager that dials sends".formatted(link), Duration.ZERO);
    } else if (!attach.getAgent().equals(ledger.self().id())) {
      lose(
          link,
          "%s wanted %s, and this is %s".formatted(link, attach.getAgent(), ledger.self().id()),
          Duration.ZERO);
    } else {
      converse(link);
    }
  }

  private void begin(Move wanted) {
    endMove("another move was ordered");
    move = wanted;
    lookUp(wanted);
  }

  private void lookUp(Move wanted) {
    wanted.at = NEVER;
    book.find(
        wanted.servers,
        null,
        wanted.without,
        found -> {
          if (move == wanted) {
            wanted.found(found);
            attempt(wanted);
          }
        });
  }

  /** Dials the next candidate, unless something else is being dialled. */
  private void attempt(Move wanted) {
    if (next != null || stopping || wanted.isCall()) {
      return;
    }
    Target target = wanted.left.poll();
    if (target != null) {
      next = dial(target, now());
      wanted.link = next;
    } else if (wanted.again) {
      wanted.at = now() + wanted.pause(parts.random());
    } else {
      endMove(wanted.problem);
    }
  }

  private void endMove(String why) {
    Move over = move;
    if (over == null) {
      return;
    }
    move = null;
    if (over.link != null && over.link == next) {
      shutDown(next, why);
      next = null;
    }
    boolean tried = over.outcome != null && over.link != null && over.link == present;
    if (over.outcome != null) {
      afterSync.add(() -> over.outcome.complete(Optional.of(why)));
    }
    if (tried && present != null) {
      lose(present, why, Duration.ZERO);
    }
  }

  /** A heartbeat came back over this link. */
  private void proven(SessionLink link) {
    Move done = move;
    if (done != null && done.isCall() && !done.asked && done.link == null) {
      // This session was on its way when the move began, so it proves nothing of now.
      var _ = ask(done);
      return;
    }
    if (done != null && done.outcome != null && done.link == link) {
      move = null;
      log.info("moved to {}", link);
      if (!done.isCall()) {
        use(done.servers);
        served = link.target();
      }
      afterSync.add(() -> done.outcome.complete(Optional.empty()));
    }
  }

  boolean sendNow(AgentFrame frame, boolean essential) {
    SessionLink link = present;
    if (link == null || link.core == null || !link.core.isWelcomed()) {
      return false;
    }
    return link.send(frame, essential);
  }

  void heartbeatInterval(@Nullable Duration interval) {
    heartbeatInterval = interval;
    for (SessionLink link : new SessionLink[] {present, next}) {
      if (link != null && link.core != null) {
        link.core.heartbeatInterval(interval, now());
      }
    }
  }

  void securityEvent(String code, String detail) {
    ledger.event(code, detail);
    flush();
  }

  void directiveStarted(AcceptedDirective directive, CompletableFuture<Void> durable) {
    if (ledger.start(directive.sequence())) {
      afterSync.add(() -> durable.complete(null));
      if (present != null && present.core != null) {
        present.core.started(directive.id(), directive.sequence());
      }
    } else {
      durable.completeExceptionally(
          new IllegalStateException("directive %d has ended".formatted(directive.sequence())));
    }
  }

  void directiveFinished(AcceptedDirective directive, DirectiveEnd end) {
    if (ledger.finish(directive.sequence(), end)) {
      flush();
    }
  }

  private void run() {
    try {
      while (!done) {
        Runnable event = events.poll(waitNanos(), TimeUnit.NANOSECONDS);
        for (int i = 0; event != null && i < BATCH; i++) {
          event.run();
          event = i + 1 < BATCH ? events.poll() : null;
        }
        tick();
        collect(present);
        collect(next);
        wayForLogs();
        copyRecords();
        contact();
        parts.journal().sync();
        release();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.error("session ends for good", e);
      parts.observer().failed(e);
    } finally {
      shutDown(present, "stopped");
      shutDown(next, "stopped");
      parts.journal().close();
      stopped.complete(null);
    }
  }

  private long now() {
    return parts.nanoTime().getAsLong();
  }

  private long waitNanos() {
    long deadline = Math.min(Math.min(dialAt, stopBy), Math.min(due(present), due(next)));
    deadline = Math.min(deadline, copyAt);
    if (move != null) {
      deadline = Math.min(deadline, Math.min(move.at, move.deadline));
    }
    if (contact != null) {
      deadline = Math.min(deadline, now() + ContactRules.LOOK.toNanos());
    }
    return deadline == NEVER ? Duration.ofHours(1).toNanos() : Math.max(0, deadline - now());
  }

  private static long due(@Nullable SessionLink link) {
    if (link == null) {
      return NEVER;
    }
    return Math.min(
        Math.min(link.deadline, link.leaveAt), link.core == null ? NEVER : link.core.deadline());
  }

  private void tick() {
    long now = now();
    if (stopping && (now - stopBy >= 0 || (present == null && farewell == null))) {
      done = true;
      return;
    }
    if (stopping && farewell == null) {
      return;
    }
    if (dialAt != NEVER && now - dialAt >= 0) {
      dialAt = NEVER;
      if (present == null && direction.agentDials()) {
        dialPresent();
      }
    }
    tick(present, now);
    tick(next, now);
    if (move != null && move.deadline != NEVER && now - move.deadline >= 0) {
      endMove(move.lateness());
    }
    if (move != null && move.at != NEVER && now - move.at >= 0) {
      lookUp(move);
    }
  }

  private void dialPresent() {
    Target target = candidates.poll();
    if (target != null) {
      present = dial(target, now());
      return;
    }
    if (lookingUp) {
      return;
    }
    lookingUp = true;
    List<ServerAddress> asked = servers;
    book.find(
        asked,
        served == null ? null : served.named(),
        served == null ? null : served.dialled(),
        found -> {
          lookingUp = false;
          if (asked.equals(servers)) {
            candidates.addAll(found);
            alternatives = found.size();
          }
          if (present == null && (!stopping || farewell != null) && direction.agentDials()) {
            dialAt =
                now()
                    + (candidates.isEmpty() && asked.equals(servers)
                        ? backoff.next().toNanos()
                        : 0);
          }
        });
  }

  private void tick(@Nullable SessionLink link, long now) {
    if (link == null) {
      return;
    }
    if (link.leaveAt != NEVER && now - link.leaveAt >= 0) {
      lose(link, "left %s as ordered".formatted(link), Duration.ZERO);
    } else if (link.deadline != NEVER && now - link.deadline >= 0) {
      lose(link, "no session with " + link + " in time", Duration.ZERO);
    } else if (link.core != null) {
      link.core.tick(now);
    }
  }

  private SessionLink dial(Target target, long now) {
    IssuedIdentity identity = parts.member().identity();
    var link =
        new SessionLink(
            target,
            identity,
            new DialledCarrier(parts.channels().open(target.dialled(), tls(identity).outer())),
            false,
            e -> post(() -> on(e)));
    link.deadline = now + SessionTimings.WELCOME_LIMIT.toNanos();
    link.open();
    return link;
  }

  /** Contexts are native memory and slow to make: one pair for each certificate and profile. */
  private Tls tls(IssuedIdentity identity) {
    Tls known = tls;
    TlsProfile profile = parts.member().profile();
    if (known == null || !known.identity().equals(identity) || known.profile() != profile) {
      PeerVerifier peers = parts.member().dialledVerifier();
      known =
          new Tls(
              identity,
              profile,
              FleetTls.client(profile, () -> Optional.of(identity), peers, parts::expects),
              FleetTls.innerClient(
                  profile, () -> Optional.of(identity), peers, SessionLoop::isManager));
      tls = known;
    }
    return known;
  }

  private record Tls(
      IssuedIdentity identity, TlsProfile profile, SslContext outer, SslContext inner) {}

  private void on(SessionLink.Event event) {
    SessionLink link = event.link();
    if (link != present && link != next) {
      return;
    }
    switch (event) {
      case SessionLink.Event.Writable _ -> {
        if (link.peer() == null && !link.isEnded()) {
          connected(link);
        }
      }
      case SessionLink.Event.Received(_, var frame) -> {
        // After a goodbye nothing is begun; the next contact is given it again.
        if (!link.leaving && !link.saidFarewell) {
          received(link, frame);
        }
        link.consumed();
        collect(link);
      }
      case SessionLink.Event.Ended(_, var status) -> {
        link.ended();
        Throwable cause = status.getCause();
        reportTampering(link, cause);
        lose(
            link,
            "connection to %s ended: %s %s%s%s"
                .formatted(
                    link,
                    status.getCode(),
                    Optional.ofNullable(status.getDescription()).orElse(""),
                    cause == null ? "" : " (" + cause.getMessage() + ")",
                    cause == null
                        ? ""
                        : HandshakeRefusal.ofAlert(cause, parts.member().profile())
                            .map(why -> ": " + why)
                            .orElse("")),
            Duration.ZERO);
        if (CertificateRecovery.isCertificateRefused(status)) {
          recover(link);
        }
      }
    }
  }

  private void recover(SessionLink refused) {
    if (!stopping) {
      recovery.begin(
          refused.address(), parts.facts().get(), now(), outcome -> post(() -> recovered(outcome)));
    }
  }

  private void recovered(Optional<EnrollmentOutcome> outcome) {
    recovery.over(outcome);
    if (outcome.orElse(null) instanceof EnrollmentOutcome.Issued(IssuedIdentity identity, _)) {
      afterSync.add(() -> parts.observer().renewed(identity));
      if (present == null && !stopping) {
        dialAt = now();
      }
    }
  }

  /** Bytes that were altered on the way to or from whom we dialled; once for each session. */
  private void reportTampering(SessionLink link, @Nullable Throwable cause) {
    for (Throwable t = cause; t != null; t = t.getCause()) {
      if (t instanceof SSLException ssl && !tamperingTold) {
        SealedFailure failure = SealedChannel.failureOf(ssl);
        if (failure.reason() == SealedFailure.Reason.BAD_RECORD) {
          tamperingTold = true;
          securityEvent(
              "session.tampered", "on the way to %s: %s".formatted(link, failure.detail()));
        }
        return;
      }
    }
  }

  private void connected(SessionLink link) {
    switch (link.checkPeer(parts.member().dialledVerifier())) {
      case PeerCheck.Refused(String code, String detail) ->
          lose(link, "%s is not trusted: %s: %s".formatted(link, code, detail), Duration.ZERO);
      case PeerCheck.Trusted(NodeIdentity peer, _) -> {
        if (link.isAttached() ? !isManager(peer) : !parts.expects(peer)) {
          lose(link, "%s is not of an expected role".formatted(link), Duration.ZERO);
        } else if (link.isAttached()) {
          log.debug("{} dialled", link);
        } else if (peer.role() == Role.MANAGER) {
          converse(link);
        } else {
          // A proxy says when there is a way to a manager.
          link.deadline = upstreamDeadline();
        }
      }
    }
  }

  /** A manager can't claim a time at which it would not be one. */
  private boolean timeFits(SessionLink link, Instant said) {
    PeerCheck.Trusted manager = link.manager();
    return manager != null && PeerVerifier.isWithinLife(manager.leaf(), said);
  }

  private void tellOfClock(Welcome welcome) {
    Duration wrong =
        Duration.between(Instant.ofEpochMilli(welcome.getManagerTimeMs()), parts.clock().instant());
    if (wrong.abs().compareTo(SessionTimings.CLOCK_TOLERANCE) > 0) {
      log.warn(
          "this machine's clock is {} {} the manager's; the manager's time is used",
          wrong.abs(),
          wrong.isNegative() ? "behind" : "ahead of");
    }
  }

  private void converse(SessionLink link) {
    var core =
        new SessionCore(
            ledger, link.identity(), verifier, parts::handles, parts.heartbeats(), parts.random());
    core.heartbeatInterval(heartbeatInterval, now());
    core.rsaDue(parts.member()::rsaDue);
    core.timeFits(time -> timeFits(link, time));
    link.core = core;
    core.start(parts.facts().get(), parts.revocations().number(), lastEnd, updates.trusted());
  }

  private void received(SessionLink link, DownFrame frame) {
    switch (frame.getPayloadCase()) {
      case OPEN -> {
        boolean manager = link.peer() != null && link.peer().identity().role() == Role.MANAGER;
        if (manager && link.core != null) {
          link.core.receive(frame.getOpen(), now());
        } else {
          // Only a manager speaks openly, and a proxy is none.
          securityEvent("session.tampered", "%s sent an unsealed manager frame".formatted(link));
          lose(link, "%s sent an unsealed manager frame".formatted(link), Duration.ZERO);
        }
      }
      case SEALED -> inner(link, link.feedInner(frame.getSealed()));
      case NOTICE -> notice(link, frame.getNotice());
      case CREDIT -> link.credit(frame.getCredit());
      case LOG_ACK -> {
        if (isProxy(link) && !copies.acknowledged(frame.getLogAck()) && logs != null) {
          logs.acknowledged(frame.getLogAck().getEpoch(), frame.getLogAck().getSequence());
        }
      }
      case ATTACH -> attach(link, frame.getAttach());
      case PAYLOAD_NOT_SET -> {}
    }
  }

  private void notice(SessionLink link, ProxyNotice notice) {
    if (link.peer() == null || link.peer().identity().role() != Role.PROXY) {
      return;
    }
    switch (notice.getKind()) {
      case UPSTREAM_READY -> {
        forget(link, "the proxy has another way to a manager");
        link.deadline = now() + SessionTimings.WELCOME_LIMIT.toNanos();
        SealedChannel channel =
            SealedChannel.client(
                tls(link.identity()).inner(),
                parts.member().dialledVerifier(),
                SessionLoop::isManager,
                UnpooledByteBufAllocator.DEFAULT);
        inner(
            link,
            link.beginInner(
                SealedLink.agentEnd(channel), notice.getUpstream(), notice.getInitialCredit()));
      }
      case UPSTREAM_LOST -> {
        forget(link, "the proxy lost its way to the manager");
        link.dropInner();
        link.deadline = upstreamDeadline();
      }
      case DRAINING -> {
        if (link == present && move == null) {
          log.info("proxy {} drains: moving on", link);
          Move away = Move.away(servers, link.address());
          // All its agents were asked at once.
          away.at = now() + away.spread(parts.random());
          move = away;
        }
      }
      case KIND_UNSPECIFIED, UNRECOGNIZED -> {}
    }
  }

  private void inner(SessionLink link, SealedLink.@Nullable Step<ManagerFrame> step) {
    if (step == null) {
      return;
    }
    if (step.established() != null) {
      converse(link);
    }
    for (ManagerFrame frame : step.frames()) {
      if (link.core != null) {
        link.core.receive(frame, now());
      }
    }
    SealedFailure failure = step.failure();
    if (failure != null) {
      if (failure.suspicious()) {
        securityEvent(
            "session.tampered",
            "through %s: %s: %s".formatted(link, failure.reason(), failure.detail()));
      }
      lose(
          link,
          "inner connection through %s ended: %s: %s"
              .formatted(link, failure.reason(), failure.detail()),
          Duration.ZERO);
    }
  }

  private static boolean isManager(NodeIdentity peer) {
    return peer.role() == Role.MANAGER;
  }

  private long upstreamDeadline() {
    return servers.size() > 1 || alternatives > 1
        ? now() + SessionTimings.UPSTREAM_LIMIT.toNanos()
        : NEVER;
  }

  /** Carries out what a conversation wants; what leaves the program waits for the journal. */
  private void collect(@Nullable SessionLink link) {
    if (link == null || link.core == null) {
      return;
    }
    boolean tooSlow = false;
    for (SessionOutput output : link.core.drain()) {
      switch (output) {
        case SessionOutput.Send(var frame, boolean essential) ->
            tooSlow |= !link.send(frame, essential) && essential && !link.isEnded();
        case SessionOutput.Run(var directive) -> afterSync.add(() -> runner.accept(directive));
        case SessionOutput.Welcomed(var welcome) -> {
          link.deadline = NEVER;
          waiting = false;
          sayFarewell(link);
          backoff.reset();
          backoff.cap(Duration.ofMillis(Math.max(1, welcome.getReconnectCapMs())));
          if (link == next) {
            retire();
          }
          tellOfClock(welcome);
          if (!link.isAttached()) {
            served = link.target();
          }
          candidates.clear();
          contact = direction == Direction.AGENT_INITIATED_SHORT ? new ContactRules(now()) : null;
          answered = false;
          if (move != null && move.link == link && move.outcome == null) {
            move = null;
          }
          online = true;
          tamperingTold = false;
          lastEnd = "";
          if (welcome.getStateRolledBack() && logs != null) {
            logs.rolledBack();
          }
          var established = link.established(welcome);
          afterSync.add(() -> parts.observer().online(established));
        }
        case SessionOutput.LogStored(long epoch, long lastSequence) -> {
          if (logs != null) {
            logs.acknowledged(epoch, lastSequence);
          }
        }
        case SessionOutput.Alive(var managerTime) -> {
          afterSync.add(() -> parts.observer().heartbeatAnswered(managerTime));
          answered |= link == present;
          proven(link);
        }
        case SessionOutput.CallFailed(long number, String detail) -> {
          if (move != null && move.call == number) {
            endMove("the manager could not come in: " + detail);
          }
        }
        case SessionOutput.EnrollAnew(var tokenId, var secret) ->
            parts.observer().enrollAnew(tokenId, secret.toByteArray());
        case SessionOutput.Renewed(var identity, var retired, var offered) -> {
          if (updates.renewed(identity, retired, offered)) {
            renewed(identity);
          }
        }
        case SessionOutput.RenewedRsa(var identity) -> updates.renewedRsa(identity);
        case SessionOutput.Roots(var retired, var offered) -> {
          if (updates.roots(retired, offered) && link.core != null) {
            link.core.trusts(updates.trusted());
          }
        }
        case SessionOutput.Revocations(var list) -> {
          if (updates.revocations(list)) {
            revoked(list);
          }
        }
        case SessionOutput.Over(String code, String detail, Duration delay) -> {
          if (code.equals("SESSION_SUPERSEDED") && link == present && next != null) {
            handOver();
            return;
          }
          lose(link, "session over: %s: %s".formatted(code, detail), delay);
          return;
        }
      }
    }
    if (tooSlow) {
      lose(link, "%s is too slow".formatted(link), Duration.ZERO);
    }
  }

  /** The manager took the new link for the old one; its Welcome is on the way. */
  private void handOver() {
    SessionLink old = present;
    present = next;
    next = null;
    shutDown(old, "replaced by a newer session");
  }

  /** The new link was welcomed: the old one is history, and the manager knows. */
  private void retire() {
    SessionLink old = present;
    present = next;
    next = null;
    shutDown(old, "replaced by a newer session");
    if (move != null && move.link != present) {
      // A renewal came first.
      attempt(move);
    }
  }

  private void renewed(IssuedIdentity identity) {
    afterSync.add(() -> parts.observer().renewed(identity));
    if (next == null && present != null && !present.isAttached()) {
      next = dial(present.target(), now());
    } else if (present != null && present.isAttached()) {
      // Best effort: the manager dials again anyway before the old certificate ends.
      var _ = ask(++calls, listenPort, SessionTimings.REQUEST_LIMIT);
    }
  }

  private void revoked(RevocationList list) {
    afterSync.add(() -> parts.observer().revocations(list));
    afterSync.add(() -> {
      for (SessionLink link : new SessionLink[] {present, next}) {
        if (link != null
            && link.peer() != null
            && link.checkPeer(parts.member().verifier())
                instanceof PeerCheck.Refused(String code, String detail)) {
          lose(link, "%s: %s: %s".formatted(link, code, detail), Duration.ZERO);
        }
      }
    });
  }

  /** The conversation over this link is gone; the link itself stays. */
  private void forget(SessionLink link, String why) {
    if (link.core != null) {
      collect(link);
      link.core = null;
      if (link == present) {
        offline(why);
      }
    }
  }

  private void lose(SessionLink link, String why, Duration delay) {
    // What was accepted is carried out, whatever became of the link.
    collect(link);
    shutDown(link, why);
    Move tried = move;
    if (link == next) {
      next = null;
      log.info("{}; staying where we are", why);
      if (tried != null) {
        tried.failed(link, why);
        attempt(tried);
      }
      return;
    }
    if (link != present) {
      return;
    }
    present = null;
    if (tried != null && tried.link == link) {
      tried.failed(link, why);
      endMove(why);
    } else if (tried != null && tried.outcome == null && (next == null || tried.link != next)) {
      // There is nothing left to get away from.
      move = null;
    }
    if (next != null) {
      present = next;
      next = null;
      offline(why);
      return;
    }
    if (link.leaving) {
      waitForNext(link);
      return;
    }
    if (candidates.isEmpty()) {
      // One round is what a stop has time for.
      farewell = null;
    }
    offline(why);
    if (!direction.agentDials()) {
      log.info("{}; the manager will dial", why);
      return;
    }
    Duration wait = backoff.next().plus(delay);
    if (!stopping) {
      log.info("{}; dialling again in {} ms", why, wait.toMillis());
    }
    dialAt = now() + wait.toNanos();
  }

  /** Leaves when a contact of the short-lived form is over. */
  private void contact() {
    ContactRules rules = contact;
    SessionLink link = present;
    boolean idle = !stopping && move == null && next == null;
    if (rules == null || link == null || link.core == null || link.leaving || !idle) {
      return;
    }
    var work =
        new ContactRules.Work(
            answered,
            link.core.unfinished(),
            link.core.owed() + (link.idle() ? 0 : 1),
            logs != null && !logs.isCaughtUp());
    if (rules.isOver(work, now())) {
      Duration next = rules.untilNext(link.core.interval(), now());
      link.leaving = true;
      link.leaveAt = now() + SessionTimings.GOODBYE_LIMIT.toNanos();
      link.untilNext = next;
      var _ =
          link.send(
              AgentFrame.newBuilder()
                  .setGoodbye(
                      Goodbye.newBuilder()
                          .setReason(Goodbye.Reason.UNTIL_NEXT)
                          .setNextMs(next.toMillis()))
                  .build(),
              true);
    }
  }

  private void waitForNext(SessionLink left) {
    waiting = true;
    contact = null;
    online = false;
    lastEnd = "";
    Duration wait = farewell == null ? left.untilNext : Duration.ZERO;
    dialAt = now() + wait.toNanos();
    afterSync.add(() -> parts.observer().waiting(wait));
  }

  /** Without it a host that is stopped between two contacts would look lost (H5). */
  private void sayFarewell(SessionLink link) {
    if (farewell != null) {
      link.saidFarewell = true;
      var _ =
          link.send(
              AgentFrame.newBuilder().setGoodbye(Goodbye.newBuilder().setReason(farewell)).build(),
              true);
      farewell = null;
    }
  }

  private void offline(String why) {
    contact = null;
    lastEnd = why;
    if (online) {
      online = false;
      afterSync.add(() -> parts.observer().offline(why));
    }
  }

  void logs(LogFeed feed) {
    logs = feed;
    logLink = null;
  }

  /** Tells the feed when there is a way, or another one, or none. */
  private void wayForLogs() {
    LogFeed feed = logs;
    if (feed == null) {
      return;
    }
    SessionLink link = present;
    if (link != null && !isProxy(link) && (link.core == null || !link.core.isWelcomed())) {
      link = null;
    }
    if (link == logLink) {
      return;
    }
    if (logLink != null) {
      feed.closed();
    }
    logLink = link;
    if (link != null) {
      SessionLink way = link;
      feed.open(batch -> post(() -> way.sendLogs(batch)));
    }
  }

  /** A proxy that has no way to a manager for a while gets what a manager should know. */
  private void copyRecords() {
    SessionLink link = present;
    if (link != null && (!isProxy(link) || (link.core != null && link.core.isWelcomed()))) {
      link = null;
    }
    if (link != copyLink) {
      copyLink = link;
      copying = false;
      copyAt = link == null ? NEVER : now() + SessionTimings.COPY_DELAY.toNanos();
    }
    if (link == null) {
      return;
    }
    if (now() - copyAt >= 0) {
      copying = true;
      copies.again();
      copyAt = now() + SessionTimings.COPY_AGAIN.toNanos();
    }
    if (copying) {
      copies.due(link.identity()).forEach(link::sendRecord);
    }
  }

  /** Known to be one: its certificate was checked. */
  private static boolean isProxy(SessionLink link) {
    return link.peer() != null && link.peer().identity().role() == Role.PROXY;
  }

  private void flush() {
    if (present != null && present.core != null) {
      present.core.flush();
    }
  }

  private void release() {
    while (!afterSync.isEmpty()) {
      List<Runnable> due = List.copyOf(afterSync);
      afterSync.clear();
      due.forEach(Runnable::run);
    }
    if (present != null) {
      present.pump();
      if (((stopping && farewell == null) || present.leaving) && present.idle()) {
        present.halfClose();
      }
    }
    if (next != null) {
      next.pump();
    }
  }

  private void beginStop(Goodbye.Reason reason) {
    if (stopping) {
      return;
    }
    stopping = true;
    stopBy = now() + SessionTimings.GOODBYE_LIMIT.toNanos();
    endMove("the program stops");
    shutDown(next, "stopping");
    next = null;
    boolean leaving = present != null && present.leaving;
    if (direction.agentDials() && (leaving || waiting)) {
      farewell = reason;
      stopBy = now() + SessionTimings.FAREWELL_LIMIT.toNanos();
      if (present == null) {
        dialAt = now();
      }
    } else if (present != null && present.core != null && present.core.isWelcomed()) {
      var _ =
          present.send(
              AgentFrame.newBuilder().setGoodbye(Goodbye.newBuilder().setReason(reason)).build(),
              true);
    } else if (present != null && isProxy(present)) {
      SessionLink link = present;
      // What takes longer than this program has is in the journal.
      copies.due(link.identity()).forEach(link::sendRecord);
      copies.departure(reason, link.identity()).ifPresent(link::sendRecord);
    } else {
      shutDown(present, "stopping");
      present = null;
    }
  }

  private static void shutDown(@Nullable SessionLink link, String why) {
    if (link != null) {
      link.shutDown(why);
    }
  }
}
