package dev.towline.manager.session;

import dev.towline.proto.v1.HeartbeatAck;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Probe;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.RetryAfter;
import dev.towline.proto.v1.SessionClosed;
import dev.towline.proto.v1.TrustUpdate;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.identity.Certificates;
import java.time.Duration;

/** What a manager says in a session, as frames. */
final class ManagerFrames {
  private ManagerFrames() {}

  static ManagerFrame welcome(
      SessionServices services, SessionOpening.Outcome.Opened opened, Duration heartbeatInterval) {
    var fleet = services.fleet();
    Welcome.Builder welcome =
        welcome(services, opened.generation(), opened.acceptedBefore(), heartbeatInterval)
            .addAllRoots(Certificates.toProto(fleet.roots()))
            .addAllRetiredRoots(Certificates.toProto(fleet.retiredRoots()))
            .setRecordsKey(fleet.recordsKey());
    if (opened.rolledBack()) {
      welcome.setStateRolledBack(true).setNextEpoch(opened.epoch());
    }
    return ManagerFrame.newBuilder().setWelcome(welcome).build();
  }

  /** For a suspected clone: nothing of the fleet is told, and its own word is left standing. */
  static ManagerFrame quarantine(
      SessionServices services, long lastGeneration, long acceptedBefore) {
    return ManagerFrame.newBuilder()
        .setWelcome(welcome(services, lastGeneration, acceptedBefore, services.heartbeatInterval()))
        .build();
  }

  private static Welcome.Builder welcome(
      SessionServices services, long generation, long acceptedBefore, Duration heartbeatInterval) {
    return Welcome.newBuilder()
        .setGeneration(generation)
        .setManagerId(services.fleet().manager().identity().id())
        .setHeartbeatIntervalMs(heartbeatInterval.toMillis())
        .setReconnectCapMs(services.reconnectCap().toMillis())
        .setManagerTimeMs(services.clock().millis())
        .setLastAcceptedDirective(acceptedBefore);
  }

  /** The current revocation list. */
  static ManagerFrame revocations(SessionServices services) {
    return ManagerFrame.newBuilder()
        .setRevocations(services.revoked().signed(services.fleet()))
        .build();
  }

  /**
   * Which roots there are.
   *
   * @param renew asks for a renewal, to get a certificate of the present CA
   */
  static ManagerFrame trust(SessionServices services, boolean renew) {
    return ManagerFrame.newBuilder()
        .setTrust(
            TrustUpdate.newBuilder()
                .addAllRoots(Certificates.toProto(services.fleet().roots()))
                .addAllRetiredRoots(Certificates.toProto(services.fleet().retiredRoots()))
                .setRenew(renew))
        .build();
  }

  /** A question that is answered at once. */
  static ManagerFrame probe(long number) {
    return ManagerFrame.newBuilder().setProbe(Probe.newBuilder().setNumber(number)).build();
  }

  static ManagerFrame heartbeatAck(long number, long nowMs) {
    return ManagerFrame.newBuilder()
        .setHeartbeatAck(HeartbeatAck.newBuilder().setNumber(number).setManagerTimeMs(nowMs))
        .build();
  }

  /** Records up to a number are on this manager's disk. */
  static ManagerFrame stored(RecordClass recordClass, long epoch, long sequence) {
    return stored(
        RecordAck.newBuilder().setRecordClass(recordClass).setEpoch(epoch).setSequence(sequence));
  }

  /** A security event is on this manager's disk. */
  static ManagerFrame eventStored(String id) {
    return stored(
        RecordAck.newBuilder().setRecordClass(RecordClass.RECORD_CLASS_SECURITY_EVENT).setId(id));
  }

  private static ManagerFrame stored(RecordAck.Builder ack) {
    return ManagerFrame.newBuilder().setAck(ack.setBy(RecordAck.By.MANAGER)).build();
  }

  static ManagerFrame retryAfter(long delayMs, String reason) {
    return ManagerFrame.newBuilder()
        .setRetryAfter(RetryAfter.newBuilder().setDelayMs(delayMs).setReason(reason))
        .build();
  }

  static ManagerFrame closed(String code, String message, String remedy) {
    return ManagerFrame.newBuilder()
        .setClosed(SessionClosed.newBuilder().setCode(code).setMessage(message).setRemedy(remedy))
        .build();
  }
}
