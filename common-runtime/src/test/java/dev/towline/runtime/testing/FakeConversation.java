package dev.towline.runtime.testing;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.CertificateRenewed;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.HeartbeatAck;
import dev.towline.proto.v1.Hello;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.NoOp;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.Signatures;
import java.security.PublicKey;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** A fake manager's end of one conversation: answers as a right one would, and records all. */
public final class FakeConversation {
  private final FakeManager manager;
  private final PeerCheck.Trusted peer;
  private final Consumer<ManagerFrame> out;
  private final List<AgentFrame> received = new CopyOnWriteArrayList<>();
  private volatile Hello hello = Hello.getDefaultInstance();
  private volatile boolean ended;
  private volatile boolean welcomed;

  FakeConversation(FakeManager manager, PeerCheck.Trusted peer, Consumer<ManagerFrame> out) {
    this.manager = manager;
    this.peer = peer;
    this.out = out;
  }

  public PeerCheck.Trusted peer() {
    return peer;
  }

  public Hello hello() {
    return hello;
  }

  public boolean isWelcomed() {
    return welcomed;
  }

  public boolean isEnded() {
    return ended;
  }

  public List<AgentFrame> received() {
    return received;
  }

  /** Waits for a frame that has come or will come. */
  public AgentFrame await(Predicate<AgentFrame> wanted) {
    return Await.value("a frame of the agent", () -> received.stream().filter(wanted).findFirst());
  }

  public DirectiveResult awaitResult(long sequence) {
    AgentFrame frame = await(f -> f.hasResult() && result(f).getDirectiveSequence() == sequence);
    return result(frame);
  }

  public static DirectiveResult result(AgentFrame frame) {
    try {
      return DirectiveResult.parseFrom(frame.getResult().getResult());
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  public void send(ManagerFrame frame) {
    out.accept(frame);
  }

  public void send(SignedDirective directive) {
    send(ManagerFrame.newBuilder().setDirective(directive).build());
  }

  /** The next directive in order, signed for this conversation. */
  public SignedDirective next(DirectiveKind kind, DirectiveContent content) {
    return signed(statement(manager.nextSequence(), kind, content), content);
  }

  public SignedDirective nextNoOp() {
    return next(
        DirectiveKind.DIRECTIVE_KIND_NO_OP,
        DirectiveContent.newBuilder().setNoOp(NoOp.getDefaultInstance()).build());
  }

  public SignedDirective nextAction(RunAction action) {
    return next(
        DirectiveKind.DIRECTIVE_KIND_RUN_ACTION,
        DirectiveContent.newBuilder().setRunAction(action).build());
  }

  /** A statement for this agent and conversation, to be changed before signing. */
  public Directive.Builder statement(long sequence, DirectiveKind kind, DirectiveContent content) {
    long now = manager.clock().millis();
    return Directive.newBuilder()
        .setId(UUID.randomUUID().toString())
        .setTarget(peer.identity().uri())
        .setSequence(sequence)
        .setPredecessor(sequence - 1)
        .setNotBeforeMs(now)
        .setExpiresMs(now + 60_000)
        .setKind(kind)
        .setContentSha256(ByteString.copyFrom(Fingerprints.sha256(content.toByteArray())))
        .setSessionNonce(hello.getSessionNonce());
  }

  public SignedDirective signed(Directive.Builder statement, DirectiveContent content) {
    ByteString bytes = statement.build().toByteString();
    return SignedDirective.newBuilder()
        .setDirective(bytes)
        .setSignature(
            ByteString.copyFrom(
                Signatures.signEd25519(
                    manager.signer().key(), "towline directive v1", bytes.toByteArray())))
        .addAllSignerChain(Certificates.toProto(manager.signer().chain()))
        .setContent(content.toByteString())
        .build();
  }

  void receive(AgentFrame frame) {
    received.add(frame);
    switch (frame.getFrameCase()) {
      case HELLO -> {
        hello = frame.getHello();
        boolean rolledBack = hello.getLastAcceptedDirective() < manager.lastAccepted();
        send(
            ManagerFrame.newBuilder()
                .setWelcome(
                    Welcome.newBuilder()
                        .setGeneration(manager.nextGeneration())
                        .setManagerId(manager.id())
                        .setHeartbeatIntervalMs(manager.heartbeatIntervalMs)
                        .setReconnectCapMs(manager.reconnectCapMs)
                        .setManagerTimeMs(manager.clock().millis())
                        .setStateRolledBack(rolledBack)
                        .setLastAcceptedDirective(manager.lastAccepted())
                        .setNextEpoch(rolledBack ? hello.getEpoch() + 1 : hello.getEpoch())
                        .addAllRoots(Certificates.toProto(manager.fleet().roots())))
                .build());
        welcomed = true;
      }
      case HEARTBEAT -> {
        if (frame.getHeartbeat().getAckWanted() && manager.answerHeartbeats) {
          send(
              ManagerFrame.newBuilder()
                  .setHeartbeatAck(
                      HeartbeatAck.newBuilder()
                          .setNumber(frame.getHeartbeat().getNumber())
                          .setManagerTimeMs(manager.clock().millis()))
                  .build());
        }
      }
      case RECEIPT -> manager.noteReceipt(frame.getReceipt());
      case RESULT -> {
        if (manager.ackResults) {
          acknowledge(result(frame));
        }
      }
      case SECURITY_EVENT -> {
        manager.events.add(frame.getSecurityEvent());
        send(
            ManagerFrame.newBuilder()
                .setAck(
                    RecordAck.newBuilder()
                        .setRecordClass(RecordClass.RECORD_CLASS_SECURITY_EVENT)
                        .setBy(RecordAck.By.MANAGER)
                        .setId(frame.getSecurityEvent().getId()))
                .build());
      }
      case RENEW -> {
        var wanted = frame.getRenew();
        var renewed =
            CertificateRenewed.newBuilder()
                .addAllRoots(Certificates.toProto(manager.fleet().roots()));
        if (!wanted.getCertificateRequest().isEmpty()) {
          var key = CertificateRequests.verifiedKey(wanted.getCertificateRequest().toByteArray());
          renewed.addAllChain(certified(key));
        }
        if (!wanted.getRsaCertificateRequest().isEmpty()) {
          var key =
              CertificateRequests.verifiedRsaKey(wanted.getRsaCertificateRequest().toByteArray());
          renewed.addAllRsaChain(certified(key));
        }
        send(ManagerFrame.newBuilder().setRenewed(renewed).build());
      }
      default -> {}
    }
  }

  private List<ByteString> certified(PublicKey key) {
    return Certificates.toProto(
        manager.fleet().certify(peer.identity(), key, manager.renewedValidity));
  }

  public void acknowledge(DirectiveResult result) {
    send(
        ManagerFrame.newBuilder()
            .setAck(
                RecordAck.newBuilder()
                    .setRecordClass(RecordClass.RECORD_CLASS_RESULT)
                    .setBy(RecordAck.By.MANAGER)
                    .setEpoch(result.getEpoch())
                    .setSequence(result.getRecordSequence()))
            .build());
  }

  void end() {
    ended = true;
  }
}
