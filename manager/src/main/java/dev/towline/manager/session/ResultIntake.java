package dev.towline.manager.session;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.events.Events;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.programs.ProgramInstalls;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.SignedResult;
import dev.towline.runtime.identity.Signatures;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;

/**
 * Takes results: the agent's signature is checked with its certified key, each is stored once and
 * acknowledged after it is on disk. Belongs to the session's serial executor.
 */
final class ResultIntake {
  private static final String CONTEXT = "towline result v1";
  private static final String FORGED = "result.forged";

  /** How an agent begins to say that it left its proxy without another way. */
  private static final String NO_ROUTE = "no route";

  private final SessionPeer peer;
  private final SessionServices services;
  private final SessionWrites writes;
  private final SessionLink link;

  ResultIntake(SessionPeer peer, SessionServices services, SessionWrites writes, SessionLink link) {
    this.peer = peer;
    this.services = services;
    this.writes = writes;
    this.link = link;
  }

  void result(SignedResult signed) {
    DirectiveResult result;
    try {
      result = DirectiveResult.parseFrom(signed.getResult());
    } catch (InvalidProtocolBufferException e) {
      forged("a result that can't be read");
      return;
    }
    String id = peer.identity().id();
    if (!result.getAgent().equals(peer.identity().uri()) && !result.getAgent().equals(id)) {
      forged("a result of " + result.getAgent() + " in the session of " + peer.identity());
      return;
    }
    if (!isSigned(signed)) {
      forged("result of directive " + result.getDirectiveId() + " is not signed by its agent");
      return;
    }
    writes.add(
        tx -> save(tx, id, result, signed),
        () -> {
          services.actions().changed(result.getDirectiveId());
          link.send(
              ManagerFrame.newBuilder()
                  .setAck(
                      RecordAck.newBuilder()
                          .setRecordClass(RecordClass.RECORD_CLASS_RESULT)
                          .setEpoch(result.getEpoch())
                          .setSequence(result.getRecordSequence())
                          .setBy(RecordAck.By.MANAGER))
                  .build());
        });
  }

  private void save(Tx tx, String id, DirectiveResult result, SignedResult signed) {
    boolean isNew = tx.directives().saveResult(id, result, signed, services.clock().millis());
    Optional<QueuedDirective> own =
        tx.directives()
            .find(result.getDirectiveId())
            .filter(directive -> directive.target().equals(id));
    boolean isOwn = own.isPresent();
    if (isNew
        && own.isPresent()
        && own.get().kind() == DirectiveKind.DIRECTIVE_KIND_INSTALL_PROGRAM) {
      installed(tx, id, own.get(), result);
    }
    if (isNew
        && own.isPresent()
        && own.get().kind() == DirectiveKind.DIRECTIVE_KIND_REHOME
        && result.getOutcome() == Outcome.OUTCOME_SUCCEEDED
        && result.getDetail().startsWith(NO_ROUTE)) {
      tx.nodes().route(id, "", Node.NO_ROUTE);
    }
    if (isNew && own.isPresent() && own.get().kind() == DirectiveKind.DIRECTIVE_KIND_SET_POLICY) {
      services.policies().delivery().result(tx, id, own.get(), result);
    }
    if (isNew && !isOwn) {
      tx.events()
          .add(
              services
                  .events()
                  .of(
                      FORGED,
                      id,
                      "result of directive " + result.getDirectiveId() + ", which is not its own",
                      Events.MANAGER),
              "");
    }
  }

  private void installed(Tx tx, String id, QueuedDirective directive, DirectiveResult result) {
    InstallProgram program = ProgramInstalls.read(directive);
    boolean done = result.getOutcome() == Outcome.OUTCOME_SUCCEEDED;
    String what = "towline-" + program.getProgram() + " " + program.getVersion();
    tx.events()
        .add(
            services
                .events()
                .of(
                    done ? ProgramInstalls.INSTALLED : ProgramInstalls.FAILED,
                    id,
                    done ? what : what + ": " + result.getDetail(),
                    Events.MANAGER),
            "");
  }

  private boolean isSigned(SignedResult signed) {
    if (isSignedWith(peer.chain().getFirst().getPublicKey(), signed)) {
      return true;
    }
    // Signed before a renewal: rare, so the store may be asked right here.
    List<X509Certificate> earlier =
        services.store().read(tx -> tx.nodes().certificates(peer.identity().id()));
    return earlier.stream()
        .anyMatch(certificate -> isSignedWith(certificate.getPublicKey(), signed));
  }

  private static boolean isSignedWith(PublicKey key, SignedResult signed) {
    return Signatures.verifyP256(
        key, CONTEXT, signed.getResult().toByteArray(), signed.getSignature().toByteArray());
  }

  private void forged(String detail) {
    services.events().record(FORGED, peer.identity().id(), detail);
  }
}
