package dev.towline.runtime.session;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import io.grpc.Status;
import java.security.SecureRandom;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks for another certificate by proof of the key when the present one is not accepted: a program
 * that was away for longer than its certificate lived, or than a root was trusted, gets in again by
 * itself.
 *
 * <p>Threading: the session's thread; the attempt itself runs on a thread of its own. Failure: an
 * attempt that came to nothing is followed by the next refusal, not sooner than {@link
 * SessionTimings#RECOVERY_PAUSE}.
 */
final class CertificateRecovery {
  private static final Logger log = LoggerFactory.getLogger(NodeSession.class);

  private final FleetMember member;
  private final FleetChannels channels;
  private final SecureRandom random;
  private boolean running;
  private long notBefore;

  /**
   * @param now as {@link System#nanoTime}
   */
  CertificateRecovery(FleetMember member, FleetChannels channels, SecureRandom random, long now) {
    this.member = member;
    this.channels = channels;
    this.random = random;
    this.notBefore = now;
  }

  /**
   * Whether the other end ended a connection because it does not take this program's certificate.
   */
  static boolean isCertificateRefused(Status status) {
    String said = Optional.ofNullable(status.getDescription()).orElse("");
    if (status.getCode() == Status.Code.UNAUTHENTICATED) {
      return said.startsWith("CERTIFICATE_") && !said.startsWith("CERTIFICATE_REVOKED");
    }
    for (Throwable t = status.getCause(); t != null; t = t.getCause()) {
      String text = String.valueOf(t.getMessage()).toLowerCase(Locale.ROOT);
      if (t instanceof SSLException
          && text.contains("alert")
          && (text.contains("certificate_unknown")
              || text.contains("certificate_expired")
              || text.contains("bad_certificate")
              || text.contains("unknown_ca"))) {
        return true;
      }
    }
    return false;
  }

  /**
   * @param ended told the outcome on a thread that may block; {@link #over} is due on the session's
   */
  void begin(
      ServerAddress server,
      HostFacts facts,
      long now,
      Consumer<Optional<EnrollmentOutcome>> ended) {
    if (running || now - notBefore < 0) {
      return;
    }
    running = true;
    notBefore = now + SessionTimings.RECOVERY_PAUSE.toNanos();
    log.warn(
        "{} does not take the certificate (valid until {}): asking for another one",
        server,
        member.identity().expires());
    var client = new EnrollmentClient(channels, member.time(), random);
    Thread.ofVirtual()
        .start(() -> {
          Optional<EnrollmentOutcome> outcome = Optional.empty();
          try {
            outcome = Optional.of(member.recover(client, List.of(server), facts));
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          } catch (RuntimeException e) {
            log.error("asking for another certificate failed", e);
          }
          ended.accept(outcome);
        });
  }

  /** Another attempt may be made. */
  void over(Optional<EnrollmentOutcome> outcome) {
    running = false;
    switch (outcome.orElse(null)) {
      case EnrollmentOutcome.Issued(var identity, _) ->
          log.info("got another certificate, valid until {}", identity.expires());
      case EnrollmentOutcome other -> log.warn("no other certificate: {}", other);
      case null -> {}
    }
  }
}
