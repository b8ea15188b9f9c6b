package dev.towline.manager.sending;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.events.EventRecord;
import dev.towline.manager.events.Events;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.sqlite.SqliteDatabase;
import dev.towline.proto.v1.UplinkReport;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Warnings about what a proxy takes of its host, on a clock of the test's own. */
@Requirement("P7")
final class SendingReportsTest {
  private static final String CODE = "sending.resources_above_60_percent";

  @TempDir private Path directory;

  private final AtomicReference<Instant> now = new AtomicReference<>(Instant.EPOCH);
  private Store store;
  private Events events;
  private SendingReports reports;

  @BeforeEach
  void open() {
    store = SqliteDatabase.open(directory.resolve("manager.db"));
    events = new Events(store, now::get);
    reports = new SendingReports(store, events, now::get);
  }

  @AfterEach
  void close() throws Exception {
    store.close();
  }

  @Test
  void processors_busyForAMoment_isNoWarning() {
    seconds(10, 990, 0);
    seconds(60, 10, 0);
    // What is told in the end is told by this.
    seconds(1, 10, 700);

    await(CODE);
    assertThat(events.list(CODE, "", 0, 10).getFirst().detail()).contains("70 % of its memory");
  }

  @Test
  void processors_busyForAMinute_warnsOnce_andSaysWhenItIsOver() {
    seconds(90, 700, 0);
    await(CODE);

    seconds(90, 100, 0);

    await(CODE, CODE + ".over");
  }

  @Test
  void memory_aboveSixtyPercent_warnsAtOnce_alsoWithoutAPolicy() {
    seconds(1, 0, 601);

    await(CODE);
    assertThat(events.list(CODE, "", 0, 10).getFirst().detail()).contains("60 % of its memory");
  }

  private void seconds(int count, int cpuPermille, int memoryPermille) {
    for (int i = 0; i < count; i++) {
      now.updateAndGet(time -> time.plusSeconds(1));
      reports.report(
          "p1",
          UplinkReport.newBuilder()
              .setCpuPermille(cpuPermille)
              .setMemoryPermille(memoryPermille)
              .build(),
          _ -> {});
    }
  }

  /** In any order, and no others. */
  private void await(String... codes) {
    Await.until(
        String.join(" and ", codes),
        Duration.ofSeconds(30),
        () ->
            events.list("", "", 0, 10).stream()
                .map(EventRecord::code)
                .sorted()
                .toList()
                .equals(Stream.of(codes).sorted().toList()));
  }
}
