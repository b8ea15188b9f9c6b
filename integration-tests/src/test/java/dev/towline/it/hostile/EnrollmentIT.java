package dev.towline.it.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.EnrollmentProof;
import dev.towline.proto.v1.EnrollmentRequest;
import dev.towline.proto.v1.Host;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Keys;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Files;
import java.security.SecureRandom;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** A stolen proxy between a new host and the manager: it can stop an enrollment and no more. */
@Requirement({"I3", "T3"})
@InHostileLab
@TestInstance(Lifecycle.PER_CLASS)
final class EnrollmentIT {
  private static final String PROOF_INVALID = "enrollment.proof_invalid";

  private HostileLab lab;

  @BeforeAll
  void start(HostileLab shared) {
    lab = shared;
  }

  @AfterEach
  void behave() {
    lab.proxy().behave();
  }

  @Test
  void swap_certificateRequest_issuesNothing() throws Exception {
    ByteString own =
        ByteString.copyFrom(CertificateRequests.create(Keys.newP256(new SecureRandom())));
    assertEnrollsNobody("swap-request", proof -> proof.setCertificateRequest(own));
  }

  @Test
  void swap_hostName_issuesNothing() throws Exception {
    assertEnrollsNobody(
        "swap-name",
        proof -> {
          proof.getFactsBuilder().setHostName("payroll-database");
          return proof;
        });
    assertThat(lab.host("payroll-database")).isEmpty();
  }

  /** The same command, the same name, the same machine: the manager would take it for the host. */
  @Test
  void swap_factsForThoseOfAnEnrolledHost_doesNotGiveItsPlace() throws Exception {
    Victim enrolled = lab.victim("enrolled-host");
    Host before = lab.host(enrolled.name()).orElseThrow();
    assertEnrollsNobody("swap-facts", proof -> proof.setFacts(before.getFacts()));
    Host after = lab.host(enrolled.name()).orElseThrow();
    assertThat(after.getGeneration()).isEqualTo(before.getGeneration());
    assertThat(after.getCertificateExpiresMs()).isEqualTo(before.getCertificateExpiresMs());
    enrolled.program().stop();
  }

  @Test
  void replay_proofOfAnEarlierEnrollment_issuesNothing() throws Exception {
    Victim enrolled = lab.victim("replayed-host");
    List<EnrollmentRequest> steps = lab.proxy().enrollments();
    EnrollmentRequest recorded =
        steps.stream().filter(EnrollmentRequest::hasProof).reduce((_, last) -> last).orElseThrow();
    assertEnrollsNobody("replay-proof", proof -> recorded.getProof().toBuilder());
    enrolled.program().stop();
  }

  /** Starts an agent whose proof is changed on the way. */
  private void assertEnrollsNobody(String name, UnaryOperator<EnrollmentProof.Builder> change)
      throws Exception {
    int hosts = lab.fleet().hosts().size();
    long event = lab.lastEvent();
    lab.proxy()
        .attackEnrollment(
            new Attack() {
              @Override
              public EnrollmentRequest enroll(EnrollmentRequest step) {
                return step.hasProof()
                    ? step.toBuilder().setProof(change.apply(step.getProof().toBuilder())).build()
                    : step;
              }
            });
    Program agent = lab.startAgent(name);
    lab.awaitEvent(event, PROOF_INVALID, "");
    Await.until(name + " to give up", HostileLab.BOUND, () -> !agent.isRunning());
    assertThat(agent.outputSinceStart()).contains("PROOF_INVALID");
    assertThat(lab.directory().resolve("data").resolve(name).resolve("identity/identity.pem"))
        .doesNotExist();
    assertThat(lab.fleet().hosts()).hasSize(hosts);
    lab.assertOnlyEvent(event, PROOF_INVALID);
    assertThat(Files.exists(lab.directory().resolve(name + "-enrollment.json")))
        .as("the enrollment file stays for another attempt")
        .isTrue();
  }
}
