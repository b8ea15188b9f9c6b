package dev.towline.manager.session;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.SignedResult;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * Takes results: the agent's signature is checked with its certified key, each is stored once and
 * acknowledged after it is on disk. Belongs to the session's serial executor.
 */
final class ResultIntake {
  private final SessionPeer peer;
  private final SessionServices services;
  private final SessionWrites writes;
  private final SessionLink link;
  private final Results results;

  ResultIntake(SessionPeer peer, SessionServices services, SessionWrites writes, SessionLink link) {
    this.peer = peer;
    this.services = services;
    this.writes = writes;
    this.link = link;
    this.results = new Results(services);
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
        tx -> results.save(tx, id, result, signed),
        () -> {
          services.actions().changed(result.getDirectiveId());
          link.send(
              ManagerFrames.stored(
                  RecordClass.RECORD_CLASS_RESULT, result.getEpoch(), result.getRecordSequence()));
        });
  }

  private boolean isSigned(SignedResult signed) {
    if (Results.isSignedWith(peer.chain().getFirst().getPublicKey(), signed)) {
      return true;
    }
    // Signed before a renewal: rare, so the store may be asked right here.
    List<X509Certificate> earlier =
        services.store().read(tx -> tx.nodes().certificates(peer.identity().id()));
    return earlier.stream()
        .anyMatch(certificate -> Results.isSignedWith(certificate.getPublicKey(), signed));
  }

  private void forged(String detail) {
    services.events().record(Results.FORGED, peer.identity().id(), detail);
  }
}
