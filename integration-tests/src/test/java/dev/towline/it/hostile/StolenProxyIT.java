package dev.towline.it.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RenewCertificate;
import dev.towline.proto.v1.SignedResult;
import dev.towline.proto.v1.TargetState;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Signatures;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.Duration;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** What the thief of a proxy tries at the manager with the proxy's certificate and nothing else. */
@Requirement({"T1", "T3"})
@InHostileLab
@TestInstance(Lifecycle.PER_CLASS)
final class StolenProxyIT {
  private HostileLab lab;
  private Victim agent;

  @BeforeAll
  void start(HostileLab shared) {
    lab = shared;
    agent = lab.victim("stolen-proxy-victim");
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
  void renew_inTheAgentsNameInTheProxysSession_isRefused() throws Exception {
    Host before = lab.host(agent.name()).orElseThrow();
    byte[] identity = identityFile();
    long event = lab.lastEvent();
    try (OwnSession own = OwnSession.welcomed(lab.proxy().channel())) {
      own.send(
          AgentFrame.newBuilder()
              .setRenew(
                  RenewCertificate.newBuilder()
                      .setCertificateRequest(ByteString.copyFrom(requestNaming(agent)))));
      lab.awaitEvent(event, "renewal.refused", lab.stolen().identity().id());
      assertThat(own.find(ManagerFrame::hasRenewed)).isEmpty();
    }
    lab.assertOnlyEvent(event, "renewal.refused");
    assertUntouched(before);
    assertThat(identityFile()).isEqualTo(identity);
  }

  @Test
  void renew_withARequestThatNamesNobody_certifiesTheProxyAndNobodyElse() {
    Host before = lab.host(agent.name()).orElseThrow();
    try (OwnSession own = OwnSession.welcomed(lab.proxy().channel())) {
      own.send(
          AgentFrame.newBuilder()
              .setRenew(
                  RenewCertificate.newBuilder()
                      .setCertificateRequest(
                          ByteString.copyFrom(
                              dev.towline.runtime.identity.CertificateRequests.create(
                                  Keys.newP256(new SecureRandom()))))));
      ManagerFrame renewed = own.await("a certificate", ManagerFrame::hasRenewed);
      assertThat(
              PeerVerifier.identityOf(
                  Certificates.fromProto(renewed.getRenewed().getChainList()).getFirst()))
          .contains(lab.stolen().identity());
    }
    assertUntouched(before);
  }

  @Test
  void renew_inASessionOfTheAgentsNameWithTheProxysCertificateInside_isRefused() {
    Host before = lab.host(agent.name()).orElseThrow();
    long event = lab.lastEvent();
    try (OwnUplink uplink = new OwnUplink(lab.proxy().channel())) {
      uplink.open(agent.identity().uri());
      uplink.handshake(lab.stolen(), lab.verifier());
      assertThat(uplink.awaitClosed()).isEqualTo("SEALED_UNTRUSTED_PEER");
      lab.awaitEvent(event, "session.tampered", agent.id(), "manager");
      assertThat(uplink.arrived()).isEmpty();
    }
    lab.assertOnlyEvent(event, "session.tampered");
    assertUntouched(before);
  }

  @Test
  void redirect_sessionOfAnAgentUnderAnothersName_isRefused() throws IOException {
    // With the agent's own key: even that doesn't give it another's session.
    Host before = lab.host(agent.name()).orElseThrow();
    var key = new IdentityStore(agent.data().resolve("identity")).load().orElseThrow();
    String another = agent.identity().uri().replace(agent.id(), "another");
    long event = lab.lastEvent();
    try (OwnUplink uplink = new OwnUplink(lab.proxy().channel())) {
      uplink.open(another);
      uplink.handshake(key, lab.verifier());
      assertThat(uplink.awaitClosed()).isEqualTo("IDENTITY_MISMATCH");
    }
    lab.awaitEvent(event, "session.identity_mismatch", agent.id(), "manager");
    lab.assertOnlyEvent(event, "session.identity_mismatch");
    assertUntouched(before);
  }

  @Test
  void heartbeat_inTheAgentsNameWithoutAnInnerConnection_isNoSignOfLife() {
    Host before = lab.host(agent.name()).orElseThrow();
    long event = lab.lastEvent();
    try (OwnUplink uplink = new OwnUplink(lab.proxy().channel())) {
      uplink.open(agent.identity().uri());
      uplink.sealed(
          AgentFrame.newBuilder()
              .setHeartbeat(Heartbeat.newBuilder().setNumber(1).setAckWanted(true))
              .build()
              .toByteString());
      // Too little for a record's header: the manager has to see a whole one to know.
      uplink.sealed(ByteString.copyFrom(new byte[64]));
      uplink.awaitClosed();
    }
    lab.awaitEvent(event, "session.tampered", agent.id(), "manager");
    lab.assertOnlyEvent(event, "session.tampered");
    assertUntouched(before);
  }

  @Test
  void heartbeat_beforeHello_isUnauthenticated() {
    Host before = lab.host(agent.name()).orElseThrow();
    long event = lab.lastEvent();
    try (OwnSession own = OwnSession.silent(lab.proxy().channel())) {
      own.send(AgentFrame.newBuilder().setHeartbeat(Heartbeat.newBuilder().setNumber(1)));
      own.awaitEnd();
    }
    lab.awaitEvent(event, "heartbeat.unauthenticated", lab.stolen().identity().id(), "manager");
    lab.assertOnlyEvent(event, "heartbeat.unauthenticated");
    assertUntouched(before);
  }

  @Test
  void heartbeat_afterTheAgentDied_doesNotKeepItAlive() {
    lab.proxy()
        .attack(
            agent.identity(),
            new Attack() {
              @Override
              public void gone(AgentLink link) {
                // Repeats the last thing that it said, as if it were still there.
                link.sealedUp(link.sentUp().getLast());
              }
            });
    long event = lab.lastEvent();
    agent.program().kill();
    lab.awaitEvent(event, "session.tampered", agent.id(), "manager");
    lab.awaitState(agent.name(), HostState.HOST_STATE_OFFLINE);
    lab.assertOnlyEvent(event, "session.tampered");
    lab.proxy().behave();
    agent.program().start();
    lab.awaitCarried(agent);
  }

  @Test
  void goodbye_inTheAgentsName_looksLikeALostConnectionAndNothingElse() {
    long event = lab.lastEvent();
    String line = lab.newLine();
    lab.proxy()
        .run(() -> {
          AgentLink link = lab.proxy().link(agent.identity()).orElseThrow();
          link.closeUp("AGENT_STOP");
          return true;
        });
    lab.awaitState(agent.name(), HostState.HOST_STATE_OFFLINE);
    lab.proxy()
        .run(() -> {
          lab.proxy().link(agent.identity()).orElseThrow().endAgent("enough");
          return true;
        });
    lab.awaitCarried(agent);
    String action = lab.append(agent, line);
    assertThat(lab.awaitTarget(action, TargetState.TARGET_STATE_ENDED).getOutcome())
        .isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(lab.eventsAfter(event)).isEmpty();
  }

  @Test
  void goodbye_inTheProxysOwnSession_stopsNoAgent() {
    Host before = lab.host(agent.name()).orElseThrow();
    try (OwnSession own = OwnSession.welcomed(lab.proxy().channel())) {
      own.send(
          AgentFrame.newBuilder()
              .setGoodbye(Goodbye.newBuilder().setReason(Goodbye.Reason.AGENT_STOP)));
      own.awaitEnd();
    }
    assertUntouched(before);
  }

  @Test
  void result_ofTheAgentSignedByTheProxy_isForged() {
    long event = lab.lastEvent();
    withRunningAction(target -> {
      DirectiveResult result = resultOf(target, agent.identity().uri());
      sendInOwnSession(result);
      lab.awaitEvent(event, "result.forged", lab.stolen().identity().id(), "manager");
    });
    lab.assertOnlyEvent(event, "result.forged");
  }

  @Test
  void result_ofTheProxyForADirectiveOfTheAgent_isForged() {
    long event = lab.lastEvent();
    withRunningAction(target -> {
      DirectiveResult result = resultOf(target, lab.stolen().identity().uri());
      sendInOwnSession(result);
      lab.awaitEvent(event, "result.forged", lab.stolen().identity().id(), "manager");
    });
    lab.assertOnlyEvent(event, "result.forged");
  }

  @Test
  void frames_ofASessionThatNeverBegan_areRecorded() {
    long event = lab.lastEvent();
    try (OwnUplink uplink = new OwnUplink(lab.proxy().channel())) {
      uplink.send(77, UplinkFrame.newBuilder().setSealed(ByteString.copyFromUtf8("hello?")));
      lab.awaitEvent(event, "uplink.unknown_session", lab.stolen().identity().id(), "manager");
    }
    lab.assertOnlyEvent(event, "uplink.unknown_session");
  }

  private interface DuringAction {
    void run(ActionTarget target);
  }

  /** The action waits for a file, so that it runs until the attack is over. */
  private void withRunningAction(DuringAction attack) {
    String line = lab.newLine();
    String gate = agent.file() + "." + line;
    String action =
        lab.run(
            agent,
            Duration.ofMinutes(5),
            "sh",
            "-c",
            "until [ -e '%s' ]; do sleep 0.05; done; echo %s >> '%s'"
                .formatted(gate, line, agent.file()));
    ActionTarget running = lab.awaitTarget(action, TargetState.TARGET_STATE_RUNNING);
    attack.run(running);
    assertThat(lab.target(action).getState()).isEqualTo(TargetState.TARGET_STATE_RUNNING);
    try {
      java.nio.file.Files.createFile(java.nio.file.Path.of(gate));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    ActionTarget ended = lab.awaitTarget(action, TargetState.TARGET_STATE_ENDED);
    assertThat(ended.getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(ended.getOutput().toStringUtf8()).isEmpty();
    assertThat(agent.lines()).containsOnlyOnce(line);
  }

  private static DirectiveResult resultOf(ActionTarget target, String agent) {
    return DirectiveResult.newBuilder()
        .setDirectiveId(target.getDirectiveId())
        .setDirectiveSequence(1)
        .setAgent(agent)
        .setEpoch(System.nanoTime())
        .setRecordSequence(1)
        .setOutcome(Outcome.OUTCOME_SUCCEEDED)
        .setOutput(ByteString.copyFromUtf8("all is well, says the proxy"))
        .build();
  }

  private void sendInOwnSession(DirectiveResult result) {
    byte[] bytes = result.toByteArray();
    OwnSession own = OwnSession.welcomed(lab.proxy().channel());
    own.send(
        AgentFrame.newBuilder()
            .setResult(
                SignedResult.newBuilder()
                    .setResult(ByteString.copyFrom(bytes))
                    .setSignature(
                        ByteString.copyFrom(
                            Signatures.signP256(lab.stolen().key(), "towline result v1", bytes)))));
    own.close();
  }

  private void assertUntouched(Host before) {
    Host now = lab.host(agent.name()).orElseThrow();
    assertThat(now.getState()).isEqualTo(HostState.HOST_STATE_ONLINE);
    assertThat(now.getGeneration()).isEqualTo(before.getGeneration());
    assertThat(now.getCertificateExpiresMs()).isEqualTo(before.getCertificateExpiresMs());
    assertThat(now.getFacts()).isEqualTo(before.getFacts());
  }

  private byte[] identityFile() throws IOException {
    return java.nio.file.Files.readAllBytes(agent.data().resolve("identity/identity.pem"));
  }

  /** A certificate request that asks for another's name. */
  private static byte[] requestNaming(Victim victim) throws Exception {
    KeyPair key = Keys.newP256(new SecureRandom());
    ExtensionsGenerator extensions = new ExtensionsGenerator();
    extensions.addExtension(
        Extension.subjectAlternativeName,
        false,
        new GeneralNames(
            new GeneralName(GeneralName.uniformResourceIdentifier, victim.identity().uri())));
    Extensions wanted = extensions.generate();
    return new JcaPKCS10CertificationRequestBuilder(
            new X500Name("CN=agent " + victim.id()), key.getPublic())
        .addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, wanted)
        .build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()))
        .getEncoded();
  }
}
