package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.RevocationList;
import dev.towline.proto.v1.Welcome;
import dev.towline.runtime.identity.IssuedIdentity;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** What {@link SessionCore} wants done, once the journal is on the disk. */
sealed interface SessionOutput {
  /** Send; a frame that is not essential may be dropped when the peer is slow. */
  record Send(AgentFrame frame, boolean essential) implements SessionOutput {}

  /** The conversation has begun. */
  record Welcomed(Welcome welcome) implements SessionOutput {}

  /** Hand over to the handler of its kind. */
  record Run(AcceptedDirective directive) implements SessionOutput {}

  /** The manager answered a heartbeat. */
  record Alive(Instant managerTime) implements SessionOutput {}

  /** Use this identity from now on. */
  record Renewed(
      IssuedIdentity identity, List<X509Certificate> retired, List<X509Certificate> offered)
      implements SessionOutput {}

  /** Present this RSA certificate to peers of older suites from now on. */
  record RenewedRsa(IssuedIdentity identity) implements SessionOutput {}

  /** Roots that the manager has, after those of earlier times. */
  record Roots(List<X509Certificate> retired, List<X509Certificate> offered)
      implements SessionOutput {}

  /** A list that nobody has checked yet. */
  record Revocations(RevocationList list) implements SessionOutput {}

  /** The manager has stored a log batch. */
  record LogStored(long epoch, long lastSequence) implements SessionOutput {}

  /** The manager could not dial this node although it was asked to. */
  record CallFailed(long number, String detail) implements SessionOutput {}

  /** This node is a clone and shall enroll as one of its own. */
  record EnrollAnew(String tokenId, ByteString secret) implements SessionOutput {}

  /** The conversation is over; dial again, not before the delay. */
  record Over(String code, String detail, Duration delay) implements SessionOutput {}
}
