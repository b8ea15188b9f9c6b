package dev.towline.it.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.HeartbeatAck;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.SessionClosed;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.proto.v1.TargetState;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.Signatures;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Files;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** A stolen proxy speaks to its agent in clear, as if it were the manager. */
@Requirement({"T1", "T3"})
@InHostileLab
@TestInstance(Lifecycle.PER_CLASS)
final class ClearFramesIT {
  private static final String TAMPERED = "session.tampered";

  private HostileLab lab;
  private Victim agent;

  @BeforeAll
  void start(HostileLab shared) {
    lab = shared;
    agent = lab.victim("clear-victim");
  }

  @BeforeEach
  void inSession() {
    lab.awaitCarried(agent);
  }

  @AfterEach
  void behave() {
    lab.proxy().behave();
  }

  @Test
  void forge_directiveSignedUnderTheProxysChain_isNotRun() {
    String line = lab.newLine();
    assertIgnored(ManagerFrame.newBuilder().setDirective(forged(line)).build());
    assertThat(agent.lines()).doesNotContain(line);
  }

  @Test
  void forge_welcome_changesNothing() throws Exception {
    byte[] identity = Files.readAllBytes(agent.data().resolve("identity/roots.pem"));
    assertIgnored(
        ManagerFrame.newBuilder()
            .setWelcome(
                Welcome.newBuilder()
                    .setGeneration(1_000_000)
                    .setManagerTimeMs(1)
                    .setStateRolledBack(true)
                    .setNextEpoch(1_000_000)
                    .setLastAcceptedDirective(1_000_000)
                    .addAllRoots(Certificates.toProto(lab.stolen().chain())))
            .build());
    assertThat(Files.readAllBytes(agent.data().resolve("identity/roots.pem"))).isEqualTo(identity);
  }

  @Test
  void forge_heartbeatAck_changesNothing() {
    assertIgnored(
        ManagerFrame.newBuilder()
            .setHeartbeatAck(HeartbeatAck.newBuilder().setNumber(1).setManagerTimeMs(1))
            .build());
  }

  @Test
  void goodbye_ofTheManagerInClear_changesNothing() {
    assertIgnored(
        ManagerFrame.newBuilder()
            .setClosed(
                SessionClosed.newBuilder()
                    .setCode("CERTIFICATE_REVOKED")
                    .setMessage("says the proxy"))
            .build());
  }

  /** The result is acknowledged by the proxy while the manager never got it. */
  @Test
  void ack_ofAResultTheManagerNeverGot_doesNotFreeIt() {
    List<String> lines = new ArrayList<>(agent.lines());
    long event = lab.lastEvent();
    String line = lab.newLine();
    lab.proxy()
        .attack(
            agent.identity(),
            new Attack() {
              @Override
              public void up(AgentLink link, ByteString sealed) {
                // What it says of the directive goes nowhere.
              }
            });
    String action = lab.append(agent, line);
    Await.until("the action to run", HostileLab.BOUND, () -> agent.lines().contains(line));
    lab.proxy()
        .run(() -> {
          AgentLink link = lab.proxy().link(agent.identity()).orElseThrow();
          for (long epoch = 0; epoch < 4; epoch++) {
            link.openDown(
                ManagerFrame.newBuilder()
                    .setAck(
                        RecordAck.newBuilder()
                            .setRecordClass(RecordClass.RECORD_CLASS_RESULT)
                            .setEpoch(epoch)
                            .setSequence(1_000_000)
                            .setBy(RecordAck.By.MANAGER))
                    .build());
          }
          return true;
        });
    lab.proxy().behave();
    lab.awaitEvent(event, TAMPERED, agent.id(), agent.identity().uri());
    ActionTarget target = lab.awaitTarget(action, TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(target.getOutput().toStringUtf8()).isEqualTo("done\n");
    lines.add(line);
    assertThat(agent.lines()).containsExactlyElementsOf(lines);
    lab.assertOnlyEvent(event, TAMPERED);
  }

  /** The agent notices, tells, and goes on as if nothing had been said. */
  private void assertIgnored(ManagerFrame frame) {
    List<String> lines = new ArrayList<>(agent.lines());
    long event = lab.lastEvent();
    lab.proxy()
        .run(() -> {
          lab.proxy().link(agent.identity()).orElseThrow().openDown(frame);
          return true;
        });
    lab.awaitEvent(event, TAMPERED, agent.id(), agent.identity().uri());
    lab.awaitState(agent.name(), HostState.HOST_STATE_ONLINE);
    String line = lab.newLine();
    ActionTarget target = lab.awaitTarget(lab.append(agent, line), TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    lines.add(line);
    assertThat(agent.lines()).containsExactlyElementsOf(lines);
    lab.assertOnlyEvent(event, TAMPERED);
  }

  private SignedDirective forged(String line) {
    Ed25519PrivateKeyParameters key = Signatures.newEd25519Key(new SecureRandom());
    ByteString content =
        DirectiveContent.newBuilder()
            .setRunAction(
                RunAction.newBuilder()
                    .addAllCommand(
                        List.of("sh", "-c", "echo " + line + " >> '" + agent.file() + "'")))
            .build()
            .toByteString();
    byte[] statement =
        Directive.newBuilder()
            .setId("00000000-0000-0000-0000-000000000001")
            .setTarget(agent.identity().uri())
            .setSequence(1_000)
            .setPredecessor(999)
            .setExpiresMs(Long.MAX_VALUE)
            .setKind(DirectiveKind.DIRECTIVE_KIND_RUN_ACTION)
            .setContentSha256(ByteString.copyFrom(Fingerprints.sha256(content.toByteArray())))
            .build()
            .toByteArray();
    return SignedDirective.newBuilder()
        .setDirective(ByteString.copyFrom(statement))
        .setSignature(
            ByteString.copyFrom(Signatures.signEd25519(key, "towline directive v1", statement)))
        .addAllSignerChain(Certificates.toProto(lab.stolen().chain()))
        .setContent(content)
        .build();
  }
}
