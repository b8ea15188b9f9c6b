package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.state.v1.StoredResult;
import dev.towline.proto.v1.AgentRecord;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.RecordClass;
import dev.towline.proto.v1.ResultPart;
import dev.towline.proto.v1.SealedRecord;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.SignedRecord;
import dev.towline.proto.v1.SignedResult;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.sealed.RecordSeal;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement({"P7", "T3"})
final class RecordCopiesTest {
  private final SecureRandom random = new SecureRandom();
  private final byte[] managersKey = RecordSeal.newKey(random);
  private final IssuedIdentity identity = new TestFleet(Clock.systemUTC()).issue(Role.AGENT, "a1");
  @TempDir private Path directory;
  private SessionJournal journal;
  private RecordCopies copies;

  @BeforeEach
  void open() throws IOException {
    journal = SessionJournal.open(directory.resolve("journal"));
    copies =
        new RecordCopies(new NodeLedger(identity.identity(), journal, Clock.systemUTC(), random));
  }

  @AfterEach
  void close() {
    journal.close();
  }

  @Test
  void due_resultsAndEvents_areSealedToTheManagerAndSignedByTheAgent() throws Exception {
    welcomed();
    result(1, 10);
    journal.event(SecurityEvent.newBuilder().setId("e1").setCode("some.code").build());

    List<SealedRecord> due = copies.due(identity);

    assertThat(due)
        .extracting(SealedRecord::getRecordClass)
        .containsExactly(RecordClass.RECORD_CLASS_RESULT, RecordClass.RECORD_CLASS_SECURITY_EVENT);
    AgentRecord first = opened(due.getFirst());
    var result = DirectiveResult.parseFrom(first.getResult().getResult());
    assertThat(result.getRecordSequence()).isEqualTo(1);
    assertThat(
            Signatures.verifyP256(
                identity.leaf().getPublicKey(),
                NodeLedger.RESULT_CONTEXT,
                first.getResult().getResult().toByteArray(),
                first.getResult().getSignature().toByteArray()))
        .isTrue();
    assertThat(opened(due.getLast()).getSecurityEvent().getCode()).isEqualTo("some.code");
    // Whoever changes what is beside it, or has another key, gets nothing.
    assertThat(
            RecordSeal.open(
                managersKey, due.getFirst().toBuilder().setAgent("spiffe://f/agent/a2").build()))
        .isEmpty();
    assertThat(RecordSeal.open(RecordSeal.newKey(random), due.getFirst())).isEmpty();
  }

  @Test
  void due_untilAcknowledged_comesOncePerLinkAndThenNotAgain() {
    welcomed();
    result(1, 10);
    SealedRecord first = copies.due(identity).getFirst();
    assertThat(copies.due(identity)).isEmpty();
    copies.again();
    assertThat(copies.due(identity)).extracting(SealedRecord::getId).containsExactly(first.getId());
    assertThat(copies.acknowledged(RecordAck.newBuilder().setId(first.getId()).build())).isTrue();
    copies.again();
    assertThat(copies.due(identity)).isEmpty();
    // The journal keeps it: a proxy is no manager.
    assertThat(journal.results()).hasSize(1);
    assertThat(copies.acknowledged(RecordAck.newBuilder().setEpoch(3).build())).isFalse();
  }

  @Test
  void due_withoutAKeyOfTheManager_isNothing() {
    result(1, 10);
    assertThat(copies.due(identity)).isEmpty();
    assertThat(copies.departure(Goodbye.Reason.AGENT_STOP, identity)).isEmpty();
  }

  @Test
  void due_resultThatIsTooLarge_goesInPartsThatAreTheWhole() throws Exception {
    welcomed();
    result(1, 2 * RecordCopies.PART);
    result(2, 10);

    List<SealedRecord> due = copies.due(identity);

    assertThat(due)
        .extracting(SealedRecord::getId)
        .containsExactly(
            "result/1/1/part/0", "result/1/1/part/1", "result/1/1/part/2", "result/1/2");
    assertThat(due)
        .allSatisfy(record ->
            assertThat(record.getSerializedSize()).isLessThanOrEqualTo(RecordCopies.LARGEST));
    ByteString whole = ByteString.EMPTY;
    for (int number = 0; number < 3; number++) {
      ResultPart part = opened(due.get(number)).getPart();
      assertThat(part.getNumber()).isEqualTo(number);
      assertThat(part.getParts()).isEqualTo(3);
      whole = whole.concat(part.getContent());
      assertThat(copies.acknowledged(acknowledgement(due.get(number)))).isTrue();
    }
    assertThat(whole).isEqualTo(journal.results().iterator().next().getResult().getResult());
    copies.again();
    assertThat(copies.due(identity)).extracting(SealedRecord::getId).containsExactly("result/1/2");
  }

  private static RecordAck acknowledgement(SealedRecord record) {
    return RecordAck.newBuilder().setId(record.getId()).build();
  }

  @Test
  void departure_saysWhyAndOfWhichSession() throws Exception {
    welcomed();
    SealedRecord said = copies.departure(Goodbye.Reason.HOST_SHUTDOWN, identity).orElseThrow();
    assertThat(opened(said).getDeparture().getReason()).isEqualTo(Goodbye.Reason.HOST_SHUTDOWN);
    assertThat(opened(said).getDeparture().getGeneration()).isEqualTo(7);
    assertThat(copies.departure(Goodbye.Reason.AGENT_STOP, identity)).isEmpty();
  }

  private void welcomed() {
    journal.welcomed(7, 1_000, ByteString.copyFrom(RecordSeal.publicKey(managersKey)));
  }

  private void result(long sequence, int outputBytes) {
    ByteString result =
        DirectiveResult.newBuilder()
            .setAgent(identity.identity().uri())
            .setEpoch(1)
            .setRecordSequence(sequence)
            .setOutput(ByteString.copyFrom(new byte[outputBytes]))
            .build()
            .toByteString();
    journal.result(
        StoredResult.newBuilder()
            .setEpoch(1)
            .setRecordSequence(sequence)
            .setResult(SignedResult.newBuilder().setResult(result))
            .build());
  }

  private AgentRecord opened(SealedRecord sealed) throws InvalidProtocolBufferException {
    SignedRecord signed =
        SignedRecord.parseFrom(RecordSeal.open(managersKey, sealed).orElseThrow());
    assertThat(
            Signatures.verifyP256(
                identity.leaf().getPublicKey(),
                RecordCopies.CONTEXT,
                signed.getRecord().toByteArray(),
                signed.getSignature().toByteArray()))
        .isTrue();
    return AgentRecord.parseFrom(signed.getRecord());
  }
}
