package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.state.v1.StoredResult;
import dev.towline.proto.v1.AgentRecord;
import dev.towline.proto.v1.Departure;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.ResultPart;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.SignedRecord;
import dev.towline.proto.v1.SignedResult;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.sealed.RecordSeal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Copies of what the manager has not acknowledged, for the spool of a proxy that has no way to a
 * manager: should this node never come back, the manager still learns of it. The journal keeps
 * everything until the manager itself acknowledges it; what comes twice is stored once.
 *
 * <p>Threading: the session's thread.
 */
final class RecordCopies {
  static final String CONTEXT = "towline record v1";

  /** A result beyond that goes in parts, an event stays in the journal only. */
  static final int LARGEST = 192 << 10;

  /** Of a result's bytes in one record. */
  static final int PART = 128 << 10;

  /** What names, signatures and seal add. */
  private static final int ROOM = 1 << 10;

  private static final int MOST_UNDER_WAY = 16;

  private final NodeLedger ledger;

  /** On a proxy's disk. */
  private final Set<String> kept = new HashSet<>();

  /** Sent and not acknowledged. */
  private final Set<String> underWay = new HashSet<>();

  private boolean ended;

  RecordCopies(NodeLedger ledger) {
    this.ledger = ledger;
  }

  /** What was sent and not acknowledged counts as lost. */
  void again() {
    underWay.clear();
  }

  /** A proxy acknowledged something; false when it is none of these. */
  boolean acknowledged(RecordAck ack) {
    if (!underWay.remove(ack.getId())) {
      return false;
    }
    kept.add(ack.getId());
    return true;
  }

  /** What may be sent now. */
  List<SealedRecord> due(IssuedIdentity identity) {
    SessionJournal journal = ledger.journal();
    if (ended || journal.recordsKey().isEmpty() || underWay.size() >= MOST_UNDER_WAY) {
      return List.of();
    }
    Set<String> present = new HashSet<>();
    List<SealedRecord> due = new ArrayList<>();
    for (StoredResult result : journal.results()) {
      String id = "result/" + result.getEpoch() + "/" + result.getRecordSequence();
      if (result.getSerializedSize() > LARGEST - ROOM) {
        addParts(result, id, identity, present, due);
        continue;
      }
      present.add(id);
      if (begins(id)) {
        due.add(
            sealed(
                id,
                AgentRecord.newBuilder().setResult(NodeLedger.signed(result, identity)),
                identity));
      }
    }
    for (SecurityEvent event : journal.events()) {
      String id = "event/" + event.getId();
      present.add(id);
      if (event.getSerializedSize() <= LARGEST - ROOM && begins(id)) {
        due.add(sealed(id, AgentRecord.newBuilder().setSecurityEvent(event), identity));
      }
    }
    kept.retainAll(present);
    return due;
  }

  private void addParts(
      StoredResult result,
      String id,
      IssuedIdentity identity,
      Set<String> present,
      List<SealedRecord> due) {
    ByteString bytes = result.getResult().getResult();
    int parts = (bytes.size() + PART - 1) / PART;
    SignedResult signed = null;
    for (int number = 0; number < parts; number++) {
      String partId = id + "/part/" + number;
      present.add(partId);
      if (begins(partId)) {
        signed = signed == null ? NodeLedger.signed(result, identity) : signed;
        due.add(
            sealed(
                partId,
                AgentRecord.newBuilder()
                    .setPart(
                        ResultPart.newBuilder()
                            .setEpoch(result.getEpoch())
                            .setRecordSequence(result.getRecordSequence())
                            .setNumber(number)
                            .setParts(parts)
                            .setContent(
                                bytes.substring(
                                    number * PART, Math.min(bytes.size(), (number + 1) * PART)))
                            .setSignature(signed.getSignature())),
                identity));
      }
    }
  }

  private boolean begins(String id) {
    return underWay.size() < MOST_UNDER_WAY && !kept.contains(id) && underWay.add(id);
  }

  /** The last one: this node says goodbye and no manager hears it. */
  Optional<SealedRecord> departure(Goodbye.Reason reason, IssuedIdentity identity) {
    if (ended || ledger.journal().recordsKey().isEmpty()) {
      return Optional.empty();
    }
    ended = true;
    long time = ledger.now().toEpochMilli();
    return Optional.of(
        sealed(
            "departure/" + time,
            AgentRecord.newBuilder()
                .setDeparture(
                    Departure.newBuilder()
                        .setReason(reason)
                        .setGeneration(ledger.journal().lastGeneration())
                        .setTimeMs(time)),
            identity));
  }

  private SealedRecord sealed(String id, AgentRecord.Builder record, IssuedIdentity identity) {
    String agent = ledger.self().uri();
    RecordClass kind =
        switch (record.getRecordCase()) {
          case RESULT, PART -> RecordClass.RECORD_CLASS_RESULT;
          case SECURITY_EVENT -> RecordClass.RECORD_CLASS_SECURITY_EVENT;
          case DEPARTURE -> RecordClass.RECORD_CLASS_DEPARTURE;
          case RECORD_NOT_SET -> throw new IllegalArgumentException("record without content");
        };
    ByteString bytes = record.setAgent(agent).build().toByteString();
    SignedRecord signed =
        SignedRecord.newBuilder()
            .setRecord(bytes)
            .setSignature(
                ByteString.copyFrom(
                    Signatures.signP256(identity.key(), CONTEXT, bytes.toByteArray())))
            .build();
    return RecordSeal.seal(
        ledger.journal().recordsKey().toByteArray(), agent, kind, id, signed.toByteArray());
  }
}
