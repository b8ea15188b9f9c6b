package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.state.v1.DirectiveMark;
import dev.towline.proto.state.v1.StoredResult;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.SignedResult;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("G3")
final class SessionJournalTest {
  @TempDir private Path directory;

  @Test
  void open_afterClose_remembersEverything() throws IOException {
    try (SessionJournal journal = open()) {
      journal.accepted(mark(1));
      journal.accepted(mark(2));
      journal.started(mark(2));
      journal.result(result(1, 1, 10));
      assertThat(journal.event(SecurityEvent.newBuilder().setId("e1").build())).isTrue();
      journal.welcomed(7, 1_000, ByteString.EMPTY);
      journal.sync();
    }
    try (SessionJournal journal = open()) {
      assertThat(journal.lastAccepted()).isEqualTo(2);
      assertThat(journal.lastGeneration()).isEqualTo(7);
      assertThat(journal.timeFloorMs()).isEqualTo(1_000);
      assertThat(journal.nextRecordSequence()).isEqualTo(2);
      assertThat(journal.openDirectives())
          .singleElement()
          .satisfies(open -> assertThat(open.started()).isTrue());
      assertThat(journal.results()).hasSize(1);
      assertThat(journal.events()).hasSize(1);
      journal.freeResults(1, 1);
      journal.freeEvent("e1");
    }
    try (SessionJournal journal = open()) {
      assertThat(journal.results()).isEmpty();
      assertThat(journal.events()).isEmpty();
    }
  }

  @Test
  void open_tornTail_isCutAtEveryLength() throws IOException {
    long first;
    try (SessionJournal journal = open()) {
      journal.accepted(mark(1));
      first = Files.size(file());
      journal.accepted(mark(2));
    }
    byte[] whole = Files.readAllBytes(file());
    for (int length = whole.length - 1; length >= first; length--) {
      Files.write(file(), Arrays.copyOf(whole, length));
      try (SessionJournal journal = open()) {
        assertThat(journal.lastAccepted()).isEqualTo(1);
        journal.accepted(mark(2));
      }
      try (SessionJournal journal = open()) {
        assertThat(journal.lastAccepted()).isEqualTo(2);
      }
    }
  }

  @Test
  void open_corruptRecord_keepsWhatStandsBeforeIt() throws IOException {
    long before;
    try (SessionJournal journal = open()) {
      journal.accepted(mark(1));
      before = Files.size(file());
      journal.accepted(mark(2));
      journal.accepted(mark(3));
    }
    try (var raw = new RandomAccessFile(file().toFile(), "rw")) {
      raw.seek(before + 10);
      int old = raw.read();
      raw.seek(before + 10);
      raw.write(old ^ 1);
    }
    try (SessionJournal journal = open()) {
      assertThat(journal.lastAccepted()).isEqualTo(1);
    }
  }

  @Test
  void manyChanges_fileStaysSmallAndKeepsTheState() throws IOException {
    try (SessionJournal journal = open()) {
      for (int i = 1; i <= 5_000; i++) {
        journal.accepted(mark(i));
        journal.result(result(i, i, 500));
        if (i != 4_000) {
          journal.freeResults(1, i == 4_999 ? 3_999 : i);
        }
      }
      assertThat(Files.size(file())).isLessThan(1 << 20);
    }
    try (SessionJournal journal = open()) {
      assertThat(journal.lastAccepted()).isEqualTo(5_000);
      assertThat(journal.nextRecordSequence()).isEqualTo(5_001);
      assertThat(journal.results()).isEmpty();
    }
  }

  @Test
  void startEpoch_numbersResultsAnewAndNeverGoesBack() throws IOException {
    try (SessionJournal journal = open()) {
      journal.accepted(mark(3));
      journal.result(result(3, 1, 1));
      journal.startEpoch(2, 9);
      assertThat(journal.epoch()).isEqualTo(2);
      assertThat(journal.lastAccepted()).isEqualTo(9);
      assertThat(journal.nextRecordSequence()).isEqualTo(1);
      assertThat(journal.results()).hasSize(1);
    }
  }

  @Test
  void timeFloor_neverGoesDown() throws IOException {
    try (SessionJournal journal = open()) {
      journal.welcomed(1, 5_000, ByteString.copyFrom(new byte[32]));
      journal.welcomed(2, 4_000, ByteString.EMPTY);
      journal.raiseTimeFloor(3_000);
      assertThat(journal.timeFloorMs()).isEqualTo(5_000);
      assertThat(journal.lastGeneration()).isEqualTo(2);
    }
  }

  private Path file() {
    return directory.resolve("session.journal");
  }

  private SessionJournal open() throws IOException {
    return SessionJournal.open(file());
  }

  private static DirectiveMark mark(long sequence) {
    return DirectiveMark.newBuilder().setSequence(sequence).setDirectiveId("d" + sequence).build();
  }

  private static StoredResult result(long directive, long record, int size) {
    return StoredResult.newBuilder()
        .setDirectiveSequence(directive)
        .setEpoch(1)
        .setRecordSequence(record)
        .setResult(SignedResult.newBuilder().setResult(ByteString.copyFrom(new byte[size])))
        .build();
  }
}
