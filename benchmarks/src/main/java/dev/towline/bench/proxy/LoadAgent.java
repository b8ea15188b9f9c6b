package dev.towline.bench.proxy;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveReceipt;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.ProxyNotice;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.proto.v1.SignedResult;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.backoff.FullJitter;
import dev.towline.runtime.directive.DirectiveVerdict;
import dev.towline.runtime.directive.DirectiveVerifier;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.sealed.SealedLink;
import dev.towline.runtime.session.SessionTimings;
import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import io.grpc.netty.shaded.io.netty.util.concurrent.ScheduledFuture;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One agent with a session through a proxy: both handshakes, hello, heartbeats, directives checked
 * and answered, credit, another proxy when this one is lost. It runs nothing and keeps no files.
 *
 * <p>Threading: belongs to one event loop.
 */
final class LoadAgent implements GrpcCall.Listener {
  private static final String RESULT_CONTEXT = "towline result v1";
  private static final int KEEPALIVE_SECONDS = 30;

  private final LoadHost host;
  private final AgentTls tls;
  private final Connector connector;
  private final Counts counts;
  private final EventLoop loop;
  private final FullJitter backoff =
      new FullJitter(
          SessionTimings.BACKOFF_BASE, SessionTimings.BACKOFF_CAP, ThreadLocalRandom.current());
  private final Deque<ByteString> sealed = new ArrayDeque<>(2);
  private final List<InetSocketAddress> untried = new ArrayList<>(1);

  private List<InetSocketAddress> servers = List.of();
  private @Nullable GrpcCall call;
  private @Nullable SealedLink<ManagerFrame, AgentFrame> inner;
  private @Nullable ScheduledFuture<?> beat;
  private @Nullable ScheduledFuture<?> keepAlive;
  private @Nullable DirectiveVerifier verifier;
  private long sendCredit;
  private int taken;
  private int grantAt;
  private boolean stopped;

  // What an agent has on its disk.
  private ByteString nonce = ByteString.EMPTY;
  private long lastGeneration;
  private long lastAccepted;
  private long lastSeenHere;
  private long epoch = 1;
  private long record;
  private ByteString policy = ByteString.EMPTY;

  private boolean welcomed;
  private long heartbeats;
  private long intervalMs = 60_000;
  private ByteString sentPolicy = ByteString.EMPTY;

  /** Opens a connection from the agent's own address. */
  interface Connector {
    void connect(InetSocketAddress to, LoadHost host, EventLoop loop, GrpcCall call);
  }

  LoadAgent(LoadHost host, AgentTls tls, Connector connector, Counts counts, EventLoop loop) {
    this.host = host;
    this.tls = tls;
    this.connector = connector;
    this.counts = counts;
    this.loop = loop;
  }

  EventLoop loop() {
    return loop;
  }

  /** Has a session over one of these from now on. */
  void start(List<InetSocketAddress> through) {
    servers = through;
    stopped = false;
    dial();
  }

  /** Where to dial from the next time on. */
  void servers(List<InetSocketAddress> through) {
    servers = through;
  }

  /** Says goodbye and leaves. */
  void stop() {
    stopped = true;
    if (welcomed) {
      say(
          AgentFrame.newBuilder()
              .setGoodbye(Goodbye.newBuilder().setReason(Goodbye.Reason.AGENT_STOP))
              .build());
    }
    GrpcCall present = call;
    if (present != null) {
      lost();
      present.shutDown();
    }
  }

  private void dial() {
    if (stopped || call != null) {
      return;
    }
    if (untried.isEmpty()) {
      untried.addAll(servers);
      Collections.shuffle(untried, ThreadLocalRandom.current());
    }
    InetSocketAddress to = untried.removeLast();
    var attempt =
        new GrpcCall(
            "/" + SessionServiceGrpc.getOpenMethod().getFullMethodName(),
            to.getHostString() + ":" + to.getPort(),
            this);
    call = attempt;
    connector.connect(to, host, loop, attempt);
  }

  @Override
  public void opened(GrpcCall opened) {
    counts.connected.increment();
    keepAlive =
        loop.scheduleAtFixedRate(
            opened::keepAlive,
            1 + ThreadLocalRandom.current().nextInt(KEEPALIVE_SECONDS * 1000),
            KEEPALIVE_SECONDS * 1000,
            TimeUnit.MILLISECONDS);
  }

  @Override
  public void message(ByteBuf message) {
    try {
      DownFrame frame = DownFrame.parseFrom(message.nioBuffer());
      switch (frame.getPayloadCase()) {
        case SEALED -> sealedDown(frame.getSealed());
        case NOTICE -> notice(frame.getNotice());
        case CREDIT -> {
          sendCredit += frame.getCredit();
          pump();
        }
        case OPEN, LOG_ACK, PAYLOAD_NOT_SET -> {}
      }
    } catch (InvalidProtocolBufferException e) {
      fail("frame can't be read: " + e.getMessage());
    }
  }

  @Override
  public void closed(String why) {
    if (call == null) {
      return;
    }
    lost();
    if (stopped) {
      return;
    }
    counts.ended(why);
    boolean another = !untried.isEmpty();
    loop.schedule(this::dial, another ? 0 : backoff.next().toMillis(), TimeUnit.MILLISECONDS);
  }

  private void fail(String why) {
    GrpcCall present = call;
    if (present != null) {
      closed(why);
      present.shutDown();
    }
  }

  private void lost() {
    call = null;
    dropInner();
    if (keepAlive != null) {
      keepAlive.cancel(false);
      keepAlive = null;
    }
  }

  private void notice(ProxyNotice notice) {
    switch (notice.getKind()) {
      case UPSTREAM_READY -> {
        dropInner();
        sendCredit = notice.getInitialCredit();
        grantAt = Math.max(1, notice.getInitialCredit() / 4);
        up(UpFrame.newBuilder().setUpstream(notice.getUpstream()).build());
        SealedLink<ManagerFrame, AgentFrame> link = tls.newInner();
        inner = link;
        take(host.turn(link::start));
      }
      case UPSTREAM_LOST -> dropInner();
      case DRAINING, KIND_UNSPECIFIED, UNRECOGNIZED -> {}
    }
  }

  private void dropInner() {
    if (welcomed) {
      welcomed = false;
      counts.online.decrement();
    }
    if (beat != null) {
      beat.cancel(false);
      beat = null;
    }
    if (inner != null) {
      inner.release();
      inner = null;
    }
    sealed.clear();
    taken = 0;
  }

  private void sealedDown(ByteString bytes) {
    SealedLink<ManagerFrame, AgentFrame> link = inner;
    if (link == null) {
      return;
    }
    taken += bytes.size();
    if (taken >= grantAt) {
      up(UpFrame.newBuilder().setCredit(taken).build());
      taken = 0;
    }
    take(host.turn(() -> link.feed(bytes)));
  }

  private void take(SealedLink.Step<ManagerFrame> step) {
    sealed.addAll(step.outgoing());
    pump();
    if (step.established() != null) {
      hello();
    }
    for (ManagerFrame frame : step.frames()) {
      frame(frame);
    }
    if (step.failure() != null && inner != null) {
      fail("inner TLS: " + step.failure());
    }
  }

  private void say(AgentFrame frame) {
    if (inner != null) {
      sealed.addAll(inner.send(frame).outgoing());
      pump();
    }
  }

  private void pump() {
    while (!sealed.isEmpty() && sendCredit > 0) {
      ByteString piece = sealed.remove();
      if (piece.size() > sendCredit) {
        sealed.addFirst(piece.substring((int) sendCredit));
        piece = piece.substring(0, (int) sendCredit);
      }
      sendCredit -= piece.size();
      up(UpFrame.newBuilder().setSealed(piece).build());
    }
  }

  private void up(UpFrame frame) {
    if (call != null) {
      call.send(frame);
    }
  }

  private void hello() {
    byte[] random = new byte[32];
    ThreadLocalRandom.current().nextBytes(random);
    nonce = ByteString.copyFrom(random);
    lastSeenHere = lastAccepted;
    say(
        AgentFrame.newBuilder()
            .setHello(
                Hello.newBuilder()
                    .setSessionNonce(nonce)
                    .setFacts(host.facts())
                    .setEpoch(epoch)
                    .setLastAcceptedDirective(lastAccepted)
                    .setLastGeneration(lastGeneration)
                    .setTimeMs(System.currentTimeMillis())
                    .setPolicyFingerprint(policy))
            .build());
  }

  private void frame(ManagerFrame frame) {
    switch (frame.getFrameCase()) {
      case WELCOME -> welcome(frame.getWelcome());
      case DIRECTIVE -> directive(frame.getDirective());
      case RETRY_AFTER -> fail("RETRY_AFTER " + frame.getRetryAfter().getReason());
      case CLOSED -> fail(frame.getClosed().getCode() + ": " + frame.getClosed().getMessage());
      case HEARTBEAT_ACK -> counts.heartbeatAcks.increment();
      case ACK, RENEWED, REVOCATIONS, PROBE, FRAME_NOT_SET -> {}
    }
  }

  private void welcome(Welcome welcome) {
    welcomed = true;
    backoff.reset();
    untried.clear();
    counts.online.increment();
    counts.welcomes.increment();
    lastGeneration = welcome.getGeneration();
    lastSeenHere = Math.max(lastSeenHere, welcome.getLastAcceptedDirective());
    if (welcome.getStateRolledBack()) {
      epoch = Math.max(epoch + 1, welcome.getNextEpoch());
      record = 0;
      lastAccepted = Math.max(lastAccepted, welcome.getLastAcceptedDirective());
    }
    intervalMs = welcome.getHeartbeatIntervalMs();
    heartbeats = 0;
    heartbeat();
  }

  private void heartbeat() {
    heartbeats++;
    boolean ackWanted = heartbeats % SessionTimings.HEARTBEAT_ACK_EVERY == 0 || heartbeats == 1;
    var heartbeat =
        Heartbeat.newBuilder()
            .setNumber(heartbeats)
            .setTimeMs(System.currentTimeMillis())
            .setRoundTripMs(1)
            .setAckWanted(ackWanted);
    if (heartbeats == 1) {
      heartbeat
          .setIntervalMs(intervalMs)
          .setCertificateExpiresMs(host.identity().expires().toEpochMilli());
    }
    if (heartbeats == 1 || !policy.equals(sentPolicy)) {
      sentPolicy = policy;
      heartbeat.setPolicyFingerprint(policy);
    }
    say(AgentFrame.newBuilder().setHeartbeat(heartbeat).build());
    counts.heartbeats.increment();
    beat = loop.schedule(this::heartbeat, intervalMs, TimeUnit.MILLISECONDS);
  }

  private void directive(SignedDirective signed) {
    DirectiveVerifier checks = verifier;
    if (checks == null) {
      checks = new DirectiveVerifier(host.identity().identity(), tls.verifier());
      verifier = checks;
    }
    var situation =
        new DirectiveVerifier.Situation(nonce, lastAccepted, lastSeenHere, Instant.now());
    switch (checks.verify(signed, situation)) {
      case DirectiveVerdict.Accept(var directive, var content) -> {
        lastAccepted = directive.getSequence();
        lastSeenHere = lastAccepted;
        receipt(directive, DirectiveReceipt.Verdict.ACCEPTED, "");
        if (content.hasSetPolicy()) {
          policy = content.getSetPolicy().getFingerprint();
        }
        result(directive);
        if (!policy.equals(sentPolicy)) {
          if (beat != null) {
            beat.cancel(false);
          }
          heartbeat();
        }
      }
      case DirectiveVerdict.AlreadyAccepted(var directive) ->
          receipt(directive, DirectiveReceipt.Verdict.ACCEPTED, "");
      case DirectiveVerdict.Gap(var directive, var last) ->
          counts.ended("a gap: " + directive.getSequence() + " after " + last);
      case DirectiveVerdict.Refuse refuse ->
          counts.ended("refused: " + refuse.refusal().code() + ": " + refuse.detail());
    }
  }

  private void receipt(Directive directive, DirectiveReceipt.Verdict verdict, String code) {
    say(
        AgentFrame.newBuilder()
            .setReceipt(
                DirectiveReceipt.newBuilder()
                    .setDirectiveId(directive.getId())
                    .setSequence(directive.getSequence())
                    .setVerdict(verdict)
                    .setCode(code))
            .build());
  }

  private void result(Directive directive) {
    long now = System.currentTimeMillis();
    ByteString result =
        DirectiveResult.newBuilder()
            .setDirectiveId(directive.getId())
            .setDirectiveSequence(directive.getSequence())
            .setAgent(host.identity().identity().uri())
            .setEpoch(epoch)
            .setRecordSequence(++record)
            .setOutcome(Outcome.OUTCOME_SUCCEEDED)
            .setStartedMs(now)
            .setFinishedMs(now)
            .build()
            .toByteString();
    say(
        AgentFrame.newBuilder()
            .setResult(
                SignedResult.newBuilder()
                    .setResult(result)
                    .setSignature(
                        ByteString.copyFrom(
                            Signatures.signP256(
                                host.identity().key(), RESULT_CONTEXT, result.toByteArray()))))
            .build());
    counts.results.increment();
  }
}
