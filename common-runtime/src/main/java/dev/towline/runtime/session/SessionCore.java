package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.CertificateRenewed;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveReceipt;
import dev.towline.proto.v1.DirectiveReceipt.Verdict;
import dev.towline.proto.v1.FetchDirectives;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.ProbeAnswer;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.proto.v1.TrustUpdate;
import dev.towline.proto.v1.TrustedRoots;
import dev.towline.proto.v1.UpdateReport;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.directive.DirectiveRefusal;
import dev.towline.runtime.directive.DirectiveVerdict;
import dev.towline.runtime.directive.DirectiveVerifier;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.sealed.RecordSeal;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The rules of one conversation with a manager, without sockets: frames and time go in, {@link
 * SessionOutput}s come out. What must outlive the conversation is in the {@link NodeLedger}.
 *
 * <p>Lifecycle: {@link #start}, then {@link #receive} and {@link #tick} until an {@link
 * SessionOutput.Over} comes out or the transport is gone. Threading: the session's thread. Failure:
 * what a manager sends never throws.
 */
final class SessionCore {
  private static final int MAX_REPORTED = 256;

  private final NodeLedger ledger;
  private final IssuedIdentity identity;
  private final DirectiveVerifier verifier;
  private final Predicate<DirectiveKind> handled;
  private final HeartbeatSource source;
  private final Renewals renewals;
  private final RecordOutbox outbox;
  private final ByteString nonce;
  private final List<SessionOutput> outputs = new ArrayList<>();
  private final Set<String> reported = new HashSet<>();
  private final Map<String, ModuleStatus> sentModules = new HashMap<>();
  private final Map<String, Long> sentCounters = new HashMap<>();

  private boolean welcomed;
  private boolean over;
  private long lastSeenHere;
  private Duration welcomeInterval = SessionTimings.HEARTBEAT_INTERVAL;
  private @Nullable Duration ownInterval;
  private Duration toldInterval = Duration.ZERO;
  private HeartbeatSource.@Nullable Reach toldReach;
  private @Nullable UpdateReport toldUpdates;
  private long ackSent;
  private Duration roundTrip = Duration.ZERO;
  private long nextHeartbeat;
  private long heartbeatNumber;
  private ByteString sentFingerprint = ByteString.EMPTY;
  private long ackNumber;
  private long ackDue = Long.MAX_VALUE;
  private long fetchAgain = Long.MIN_VALUE;
  private Predicate<Instant> timeFits = _ -> true;

  SessionCore(
      NodeLedger ledger,
      IssuedIdentity identity,
      DirectiveVerifier verifier,
      Predicate<DirectiveKind> handled,
      HeartbeatSource source,
      SecureRandom random) {
    this.ledger = ledger;
    this.identity = identity;
    this.verifier = verifier;
    this.handled = handled;
    this.source = source;
    this.renewals = new Renewals(identity, random);
    this.outbox = new RecordOutbox(ledger, identity, this::send);
    byte[] bytes = new byte[32];
    random.nextBytes(bytes);
    this.nonce = ByteString.copyFrom(bytes);
  }

  /** Whether a manager's word on the time is to be believed. */
  void timeFits(Predicate<Instant> test) {
    timeFits = test;
  }

  /** When an RSA certificate is due beside the usual one; empty when none is wanted. */
  void rsaDue(Supplier<Optional<Instant>> due) {
    renewals.rsaDue(due);
  }

  /** Says hello. */
  void start(
      HostFacts facts, long revocationListNumber, String lastEnd, List<ByteString> trustedRoots) {
    SessionJournal journal = ledger.journal();
    lastSeenHere = journal.lastAccepted();
    send(
        AgentFrame.newBuilder()
            .setHello(
                Hello.newBuilder()
                    .setSessionNonce(nonce)
                    .setFacts(facts)
                    .setEpoch(journal.epoch())
                    .setLastAcceptedDirective(journal.lastAccepted())
                    .setLastGeneration(journal.lastGeneration())
                    .setTimeMs(ledger.localTime().toEpochMilli())
                    .setPolicyFingerprint(source.collect().policyFingerprint())
                    .setRevocationListNumber(revocationListNumber)
                    .setLastSessionEnd(lastEnd)
                    .addAllTrustedRoots(trustedRoots)));
  }

  /** Takes a frame of the authenticated manager. */
  void receive(ManagerFrame frame, long now) {
    if (over) {
      return;
    }
    if (!welcomed && !frame.hasWelcome() && !frame.hasRetryAfter() && !frame.hasClosed()) {
      end("PROTOCOL_ORDER", "frame before Welcome: " + frame.getFrameCase(), Duration.ZERO);
      return;
    }
    switch (frame.getFrameCase()) {
      case WELCOME -> welcome(frame.getWelcome(), now);
      case HEARTBEAT_ACK -> {
        ledger.managerTime(frame.getHeartbeatAck().getManagerTimeMs());
        if (frame.getHeartbeatAck().getNumber() >= ackNumber) {
          if (ackDue != Long.MAX_VALUE) {
            roundTrip = Duration.ofNanos(now - ackSent);
          }
          ackDue = Long.MAX_VALUE;
        }
        outputs.add(new SessionOutput.Alive(ledger.now()));
      }
      case ACK -> acknowledged(frame.getAck());
      case DIRECTIVE -> directive(frame.getDirective(), now);
      case RETRY_AFTER ->
          end(
              "RETRY_AFTER",
              frame.getRetryAfter().getReason(),
              Duration.ofMillis(Math.max(0, frame.getRetryAfter().getDelayMs())));
      case RENEWED -> renewed(frame.getRenewed());
      case CLOSED ->
          end(
              frame.getClosed().getCode(),
              frame.getClosed().getMessage() + " " + frame.getClosed().getRemedy(),
              Duration.ZERO);
      case TRUST -> trust(frame.getTrust(), now);
      case REVOCATIONS -> outputs.add(new SessionOutput.Revocations(frame.getRevocations()));
      case PROBE ->
          send(
              AgentFrame.newBuilder()
                  .setProbeAnswer(
                      ProbeAnswer.newBuilder().setNumber(frame.getProbe().getNumber())));
      case CALL_FAILED ->
          outputs.add(
              new SessionOutput.CallFailed(
                  frame.getCallFailed().getNumber(), frame.getCallFailed().getDetail()));
      case ENROLL_ANEW ->
          outputs.add(
              new SessionOutput.EnrollAnew(
                  frame.getEnrollAnew().getTokenId(), frame.getEnrollAnew().getSecret()));
      // A frame of a later version.
      case FRAME_NOT_SET -> {}
    }
  }

  /** Does what is due. */
  void tick(long now) {
    if (!welcomed || over) {
      return;
    }
    if (now - ackDue >= 0 && ackDue != Long.MAX_VALUE) {
      end(
          "HEARTBEAT_UNANSWERED",
          "no answer to heartbeat %d within %s"
              .formatted(ackNumber, SessionTimings.HEARTBEAT_ACK_LIMIT),
          Duration.ZERO);
      return;
    }
    if (now - nextHeartbeat >= 0) {
      heartbeat(now);
    }
    renew(now);
  }

  /** Between heartbeats, as it holds now. */
  Duration interval() {
    return ownInterval == null ? welcomeInterval : ownInterval;
  }

  /**
   * Between heartbeats from now on, whatever the Welcome said; null gives that its say back. What
   * is due by the new interval goes out at once.
   */
  void heartbeatInterval(@Nullable Duration wanted, long now) {
    Duration before = interval();
    ownInterval = wanted;
    if (welcomed && !over && !before.equals(interval())) {
      heartbeat(now);
    }
  }

  /** Tells at once what has changed. */
  void heartbeatNow(long now) {
    if (welcomed && !over) {
      heartbeat(now);
    }
  }

  /** What the manager has not acknowledged. */
  int owed() {
    return outbox.owed();
  }

  /** What it ordered and is not finished. */
  int unfinished() {
    return ledger.journal().openDirectives().size();
  }

  /** When {@link #tick} has something to do again. */
  long deadline() {
    if (!welcomed || over) {
      return Long.MAX_VALUE;
    }
    return Math.min(Math.min(nextHeartbeat, ackDue), renewals.deadline());
  }

  /** Sends results and events that are new since the last call. */
  void flush() {
    if (welcomed && !over) {
      outbox.flush();
    }
  }

  /** Tells that carrying out has begun; its mark is in the journal. */
  void started(String id, long sequence) {
    if (welcomed && !over) {
      receipt(id, sequence, Verdict.STARTED, "", "");
    }
  }

  boolean isWelcomed() {
    return welcomed && !over;
  }

  /** Everything that came out since the last call. */
  List<SessionOutput> drain() {
    List<SessionOutput> drained = List.copyOf(outputs);
    outputs.clear();
    return drained;
  }

  private void welcome(Welcome welcome, long now) {
    if (welcomed) {
      end("PROTOCOL_ORDER", "second Welcome in one session", Duration.ZERO);
      return;
    }
    if (!timeFits.test(Instant.ofEpochMilli(welcome.getManagerTimeMs()))) {
      end(
          "TIME_UNPROVEN",
          "the manager says it is %s, which does not fit its certificate"
              .formatted(Instant.ofEpochMilli(welcome.getManagerTimeMs())),
          Duration.ZERO);
      return;
    }
    welcomed = true;
    SessionJournal journal = ledger.journal();
    if (welcome.getStateRolledBack()) {
      journal.startEpoch(
          Math.max(welcome.getNextEpoch(), journal.epoch() + 1),
          welcome.getLastAcceptedDirective());
    }
    journal.welcomed(
        welcome.getGeneration(),
        welcome.getManagerTimeMs(),
        welcome.getRecordsKey().size() == RecordSeal.KEY_LENGTH
            ? welcome.getRecordsKey()
            : ByteString.EMPTY);
    ledger.managerTime(welcome.getManagerTimeMs());
    ledger.interruptLeftOver();
    lastSeenHere = Math.max(lastSeenHere, welcome.getLastAcceptedDirective());
    if (welcome.getHeartbeatIntervalMs() > 0) {
      welcomeInterval = Duration.ofMillis(welcome.getHeartbeatIntervalMs());
    }
    outputs.add(new SessionOutput.Welcomed(welcome));
    if (welcome.getRootsCount() > 0) {
      roots(welcome.getRetiredRootsList(), welcome.getRootsList());
    }
    renewals.begin(now);
    heartbeat(now);
    flush();
    tick(now);
  }

  private void roots(List<ByteString> retired, List<ByteString> offered) {
    var before = Certificates.readable(retired);
    var present = Certificates.readable(offered);
    if (before.isPresent() && present.isPresent()) {
      outputs.add(new SessionOutput.Roots(before.get(), present.get()));
    }
  }

  private void trust(TrustUpdate update, long now) {
    roots(update.getRetiredRootsList(), update.getRootsList());
    if (update.getRenew()) {
      renewals.atOnce(now);
      renew(now);
    }
  }

  /** Tells the manager which roots are trusted here now. */
  void trusts(List<ByteString> rootFingerprints) {
    if (welcomed && !over) {
      send(
          AgentFrame.newBuilder()
              .setTrusted(TrustedRoots.newBuilder().addAllRoots(rootFingerprints)));
    }
  }

  private void heartbeat(long now) {
    heartbeatNumber++;
    boolean ackWanted =
        heartbeatNumber == 1 || heartbeatNumber % SessionTimings.HEARTBEAT_ACK_EVERY == 0;
    Heartbeat.Builder heartbeat =
        Heartbeat.newBuilder()
            .setNumber(heartbeatNumber)
            .setTimeMs(ledger.localTime().toEpochMilli())
            .setAckWanted(ackWanted);
    HeartbeatSource.Content content = source.collect();
    for (ModuleStatus module : content.modules()) {
      if (!module.equals(sentModules.put(module.getName(), module))) {
        heartbeat.addModules(module);
      }
    }
    content
        .counters()
        .forEach((name, value) -> {
          if (!value.equals(sentCounters.put(name, value))) {
            heartbeat.putCounters(name, value);
          }
        });
    if (!content.policyFingerprint().equals(sentFingerprint)) {
      sentFingerprint = content.policyFingerprint();
      heartbeat.setPolicyFingerprint(sentFingerprint);
    }
    if (heartbeatNumber == 1) {
      heartbeat.setCertificateExpiresMs(identity.expires().toEpochMilli());
    }
    Duration interval = interval();
    if (!interval.equals(toldInterval)) {
      toldInterval = interval;
      heartbeat.setIntervalMs(interval.toMillis());
    }
    source
        .clockStep()
        .ifPresent(step -> heartbeat.setClockStepMs(step.toMillis()).setWatchesClock(true));
    source
        .reach()
        .filter(reach -> !reach.equals(toldReach))
        .ifPresent(reach -> {
          toldReach = reach;
          heartbeat.setDirection(reach.direction().label()).setListenPort(reach.listenPort());
        });
    source
        .updates()
        .filter(updates -> !updates.equals(toldUpdates))
        .ifPresent(updates -> {
          toldUpdates = updates;
          heartbeat.setUpdates(updates);
        });
    heartbeat.setRoundTripMs(roundTrip.toMillis());
    send(AgentFrame.newBuilder().setHeartbeat(heartbeat));
    nextHeartbeat = now + interval.toNanos();
    if (ackWanted) {
      ackSent = now;
      ackNumber = heartbeatNumber;
      ackDue = now + SessionTimings.HEARTBEAT_ACK_LIMIT.toNanos();
    }
  }

  private void directive(SignedDirective signed, long now) {
    SessionJournal journal = ledger.journal();
    var situation =
        new DirectiveVerifier.Situation(nonce, journal.lastAccepted(), lastSeenHere, ledger.now());
    switch (verifier.verify(signed, situation)) {
      case DirectiveVerdict.Accept accept -> accept(accept);
      case DirectiveVerdict.AlreadyAccepted(var directive) -> {
        lastSeenHere = directive.getSequence();
        receipt(directive.getId(), directive.getSequence(), Verdict.ACCEPTED, "", "");
      }
      case DirectiveVerdict.Gap(var directive, long last) -> {
        report(
            DirectiveRefusal.REORDERED,
            directive.getSequence(),
            "sequence: %d (expected: %d)".formatted(directive.getSequence(), last + 1));
        if (now - fetchAgain >= 0 || fetchAgain == Long.MIN_VALUE) {
          fetchAgain = now + SessionTimings.REQUEST_LIMIT.toNanos();
          send(
              AgentFrame.newBuilder()
                  .setFetch(FetchDirectives.newBuilder().setAfterSequence(last)));
        }
      }
      case DirectiveVerdict.Refuse refuse -> {
        receipt(
            refuse.id(),
            refuse.sequence(),
            Verdict.REFUSED,
            refuse.refusal().code(),
            refuse.detail());
        report(refuse.refusal(), refuse.sequence(), refuse.detail());
      }
    }
  }

  private void accept(DirectiveVerdict.Accept accept) {
    var directive = accept.directive();
    long sequence = directive.getSequence();
    lastSeenHere = sequence;
    fetchAgain = Long.MIN_VALUE;
    ledger.accept(directive);
    receipt(directive.getId(), sequence, Verdict.ACCEPTED, "", "");
    DirectiveKind kind = directive.getKind();
    if (kind == DirectiveKind.DIRECTIVE_KIND_NO_OP) {
      finishAtOnce(sequence, Outcome.OUTCOME_SUCCEEDED, "");
    } else if (kind == DirectiveKind.DIRECTIVE_KIND_SKIP) {
      finishAtOnce(sequence, Outcome.OUTCOME_SKIPPED, accept.content().getSkip().getReason());
    } else if (handled.test(kind)) {
      outputs.add(
          new SessionOutput.Run(
              new AcceptedDirective(directive.getId(), sequence, kind, accept.content())));
    } else {
      finishAtOnce(
          sequence,
          Outcome.OUTCOME_UNSUPPORTED,
          "kind %s is not for a %s of this version".formatted(kind, ledger.self().role().label()));
    }
  }

  private void finishAtOnce(long sequence, Outcome outcome, String detail) {
    ledger.finish(sequence, DirectiveEnd.of(outcome, ledger.now(), detail));
    flush();
  }

  /** One event for each directive and reason; a flood of them says no more than the first ones. */
  private void report(DirectiveRefusal refusal, long sequence, String detail) {
    if (reported.size() < MAX_REPORTED && reported.add(refusal.event() + ":" + sequence)) {
      ledger.event(refusal.event(), "directive %d: %s".formatted(sequence, detail));
      flush();
    }
  }

  private void receipt(String id, long sequence, Verdict verdict, String code, String detail) {
    send(
        AgentFrame.newBuilder()
            .setReceipt(
                DirectiveReceipt.newBuilder()
                    .setDirectiveId(id)
                    .setSequence(sequence)
                    .setVerdict(verdict)
                    .setCode(code)
                    .setDetail(detail)));
  }

  private void acknowledged(RecordAck ack) {
    if (ack.getBy() != RecordAck.By.MANAGER) {
      return;
    }
    switch (ack.getRecordClass()) {
      case RECORD_CLASS_RESULT -> outbox.resultsStored(ack);
      case RECORD_CLASS_SECURITY_EVENT -> outbox.eventStored(ack.getId());
      case RECORD_CLASS_LOG ->
          outputs.add(new SessionOutput.LogStored(ack.getEpoch(), ack.getSequence()));
      case RECORD_CLASS_DEPARTURE, RECORD_CLASS_UNSPECIFIED, UNRECOGNIZED -> {}
    }
  }

  private void renew(long now) {
    renewals
        .request(ledger.now(), now)
        .ifPresent(wanted -> send(AgentFrame.newBuilder().setRenew(wanted)));
  }

  private void renewed(CertificateRenewed renewed) {
    boolean rsa = renewed.getRsaChainCount() > 0;
    if (rsa) {
      taken(renewals.rsa(renewed), "an RSA certificate came that was not asked for");
    }
    if (!rsa || renewed.getChainCount() > 0) {
      taken(renewals.usual(renewed), "a certificate came that was not asked for");
    }
  }

  private void taken(Optional<SessionOutput> certificate, String otherwise) {
    if (certificate.isPresent()) {
      outputs.add(certificate.get());
    } else {
      ledger.event("renewal.unasked", otherwise);
      flush();
    }
  }

  private void end(String code, String detail, Duration delay) {
    over = true;
    outputs.add(new SessionOutput.Over(code, detail.strip(), delay));
  }

  private void send(AgentFrame.Builder frame) {
    outputs.add(new SessionOutput.Send(frame.build(), true));
  }
}
