package dev.towline.agent.logs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.state.v1.FilePositions;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.spool.DiskFiles;
import dev.towline.runtime.spool.Spool;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** What is appended to files, and the agent's own log, on the way to whoever acknowledges it. */
@Requirement("H1")
class LogShipperTest {
  private static final Duration BOUND = Duration.ofSeconds(60);

  private final TestFleet fleet = new TestFleet(Clock.systemUTC());
  private final IssuedIdentity identity = fleet.issue(Role.AGENT, "a1");
  private final List<SignedLogBatch> sent = new CopyOnWriteArrayList<>();
  private final ProgramLog program = new ProgramLog();
  @TempDir private Path directory;
  private LogShipper shipper;

  private LogShipper start(Path file) throws IOException {
    var member =
        new FleetMember(
            new IdentityStore(directory.resolve("identity")),
            identity,
            fleet.roots(),
            Revocations.NONE,
            Clock.systemUTC());
    shipper =
        new LogShipper(
            new LogShipper.Parts(
                () ->
                    Spool.open(
                        DiskFiles.open(directory.resolve("logs")),
                        new Spool.Options(1 << 20, 64 << 10, 16 << 10)),
                member,
                program,
                Map::of,
                Clock.systemUTC(),
                System::nanoTime,
                Thread.ofPlatform().daemon().factory()),
            new TailedFiles(List.of(file), directory.resolve("positions")));
    shipper.start();
    return shipper;
  }

  @AfterEach
  void stop() {
    shipper.close();
    program.detach();
  }

  @Test
  void file_appendedRotatedAndAgentRestarted_everyLineComesOnceInOrder() throws Exception {
    Path file = directory.resolve("app.log");
    Files.writeString(file, "before the agent knew it\n");
    start(file);
    shipper.open(sent::add);
    // Where the file ends at first.
    Await.until("position", BOUND, () -> Files.exists(directory.resolve("positions")));
    append(file, "one\ntwo\nthr");
    Await.until("two lines", BOUND, () -> distinct().size() == 2);
    append(file, "ee\n");
    Await.until("the third", BOUND, () -> distinct().size() == 3);
    Files.move(file, directory.resolve("app.log.1"));
    append(directory.resolve("app.log.1"), "four\n");
    append(file, "five\n");
    Await.until("after rotation", BOUND, () -> distinct().size() == 5);
    acknowledgeAll();
    shipper.close();
    append(file, "six\n");
    start(file);
    shipper.open(sent::add);
    Await.until("after the restart", BOUND, () -> messages().contains("six"));
    assertThat(distinct()).containsExactly("one", "two", "three", "four", "five", "six");
    assertThat(batches().stream().map(LogBatch::getEpoch).distinct()).hasSize(2);
  }

  @Test
  void follow_otherFiles_thoseAreReadAndOthersNotAnyMore() throws Exception {
    Path first = directory.resolve("first.log");
    Path second = directory.resolve("second.log");
    Files.createFile(first);
    Files.createFile(second);
    LogShipper shipper = start(first);
    shipper.open(sent::add);
    Await.until("position", BOUND, () -> Files.exists(directory.resolve("positions")));
    append(first, "one\n");
    Await.until("one", BOUND, () -> messages().contains("one"));
    shipper.follow(List.of(second));
    // Where the second ends at first.
    Await.until(
        "its position",
        BOUND,
        () ->
            new String(
                    Files.readAllBytes(directory.resolve("positions")), StandardCharsets.ISO_8859_1)
                .contains("second.log"));
    append(first, "two\n");
    append(second, "three\n");
    Await.until("three", BOUND, () -> messages().contains("three"));
    shipper.follow(List.of(first, second));
    append(second, "four\n");
    Await.until("four", BOUND, () -> messages().contains("four"));
    assertThat(messages()).doesNotContain("two");
  }

  @Test
  void batch_notAcknowledged_isSentAgainOverTheNextWay() throws Exception {
    program.attach();
    start(directory.resolve("none.log"));
    LoggerFactory.getLogger("test.Program").info("kept until stored");
    shipper.open(sent::add);
    Await.until("the record", BOUND, () -> messages().contains("Program: kept until stored"));
    SignedLogBatch first = sent.getFirst();
    assertThat(
            Signatures.verifyP256(
                identity.leaf().getPublicKey(),
                "towline logs v1",
                first.getBatch().toByteArray(),
                first.getSignature().toByteArray()))
        .isTrue();
    shipper.closed();
    List<SignedLogBatch> again = new CopyOnWriteArrayList<>();
    shipper.open(again::add);
    Await.until("the same batch", BOUND, () -> again.contains(first));
    acknowledge(first);
    shipper.closed();
    List<SignedLogBatch> third = new CopyOnWriteArrayList<>();
    shipper.open(third::add);
    LoggerFactory.getLogger("test.Program").info("another");
    Await.until(
        "another",
        BOUND,
        () -> third.stream().anyMatch(b -> b.getBatch().toStringUtf8().contains("another")));
    assertThat(third).doesNotContain(first);
  }

  @Test
  void spool_overwritten_isToldWithItsNumber() throws Exception {
    Path file = directory.resolve("busy.log");
    Files.createFile(file);
    start(file);
    Await.until("position", BOUND, () -> Files.exists(directory.resolve("positions")));
    int lines = 40_000;
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < lines; i++) {
      text.append("line ").append(i).append(" ............................................\n");
    }
    append(file, text.toString());
    Await.until(
        "all to be read",
        BOUND,
        () ->
            Files.exists(directory.resolve("positions"))
                && new String(Files.readAllBytes(directory.resolve("positions"))).length() > 0
                && readUpTo() == Files.size(file));
    shipper.open(batch -> {
      sent.add(batch);
      acknowledge(batch);
    });
    Await.until("the last line", BOUND, () -> messages().stream().anyMatch(this::isLast));
    Await.until(
        "the notice", BOUND, () -> messages().stream().anyMatch(m -> m.contains("overwritten")));
    long arrived = distinct().stream().filter(m -> m.startsWith("line ")).count();
    String notice =
        messages().stream().filter(m -> m.contains("overwritten")).findFirst().orElseThrow();
    assertThat(notice).startsWith((lines - arrived) + " log records");
  }

  private long readUpTo() throws IOException {
    return FilePositions.parseFrom(Files.readAllBytes(directory.resolve("positions")))
        .getPositions(0)
        .getOffset();
  }

  private boolean isLast(String message) {
    return message.startsWith("line 39999 ");
  }

  private void append(Path file, String text) throws IOException {
    Files.writeString(file, text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  private void acknowledgeAll() {
    sent.forEach(this::acknowledge);
  }

  private void acknowledge(SignedLogBatch signed) {
    LogBatch batch = parsed(signed);
    shipper.acknowledged(batch.getEpoch(), batch.getFirstSequence() + batch.getRecordsCount() - 1);
  }

  private List<LogBatch> batches() {
    return sent.stream().map(LogShipperTest::parsed).toList();
  }

  private static LogBatch parsed(SignedLogBatch signed) {
    try {
      return LogBatch.parseFrom(signed.getBatch());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private List<String> messages() {
    return batches().stream()
        .flatMap(batch -> batch.getRecordsList().stream())
        .map(LogRecord::getMessage)
        .toList();
  }

  /** As a manager stores them. */
  private List<String> distinct() {
    Set<String> seen = new HashSet<>();
    List<String> stored = new ArrayList<>();
    for (LogBatch batch : batches()) {
      long sequence = batch.getFirstSequence();
      for (LogRecord record : batch.getRecordsList()) {
        String name = batch.getEpoch() + "/" + sequence++;
        if (seen.add(name)) {
          stored.add(record.getMessage());
        }
      }
    }
    return stored;
  }
}
