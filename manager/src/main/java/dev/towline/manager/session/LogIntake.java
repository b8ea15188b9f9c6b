package dev.towline.manager.session;

import dev.towline.manager.logs.LogBatches;
import dev.towline.manager.logs.LogBatches.Checked;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.SignedLogBatch;

/**
 * Takes log batches of a session that no proxy stands in: each is stored once and acknowledged
 * after it is on disk. Belongs to the session's serial executor.
 */
final class LogIntake {
  private final SessionPeer peer;
  private final SessionServices services;
  private final SessionWrites writes;
  private final SessionLink link;

  LogIntake(SessionPeer peer, SessionServices services, SessionWrites writes, SessionLink link) {
    this.peer = peer;
    this.services = services;
    this.writes = writes;
    this.link = link;
  }

  void batch(SignedLogBatch signed) {
    switch (services.logBatches().check(signed, peer.identity())) {
      case Checked.Forged(_, String why) ->
          services.events().record(LogBatches.FORGED, peer.identity().id(), why);
      case Checked.Good(String node, LogBatch batch) ->
          writes.add(
              tx -> tx.logs().add(node, batch, services.clock().millis()),
              () ->
                  link.send(
                      ManagerFrames.stored(
                          RecordClass.RECORD_CLASS_LOG,
                          batch.getEpoch(),
                          batch.getFirstSequence() + batch.getRecordsCount() - 1)));
    }
  }
}
