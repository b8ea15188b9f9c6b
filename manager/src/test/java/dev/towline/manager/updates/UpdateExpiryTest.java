package dev.towline.manager.updates;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.alerts.Alert;
import dev.towline.manager.alerts.AlertOutbox;
import dev.towline.manager.alerts.Alerts;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.sqlite.SqliteDatabase;
import dev.towline.runtime.updates.RootFile;
import dev.towline.runtime.updates.UpdateSigner;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UpdateExpiryTest {
  private static final Instant START = Instant.parse("2026-11-23T12:00:00Z");
  private static final SecureRandom RANDOM = new SecureRandom();

  @TempDir private Path directory;
  private Instant now = START;

  @Test
  @Requirement("U5")
  void check_offlineRootNearItsEnd_raisesAlertUntilItIsSignedAgain() throws Exception {
    InstantSource clock = () -> now;
    try (Store store = SqliteDatabase.open(directory.resolve("manager.db"));
        var repository = UpdateRepository.open(directory.resolve("updates"), clock, RANDOM)) {
      var alerts = new Alerts(store, new AlertOutbox(clock), clock);
      var expiry = new UpdateExpiry(store, alerts, repository, clock);
      UpdateSigner offline = UpdateSigner.create(RANDOM);
      byte[] root = repository.draftRoot(List.of(offline.publicKey()), 1, false);
      repository.publishRoot(RootFile.sign(root, offline));

      now = START.plus(Publisher.ROOT_VALIDITY).minus(Duration.ofDays(31));
      repository.renew();
      expiry.check();
      assertThat(open(alerts)).isEmpty();

      now = now.plus(Duration.ofDays(2));
      repository.renew();
      expiry.check();
      expiry.check();
      assertThat(open(alerts))
          .singleElement()
          .satisfies(alert -> {
            assertThat(alert.message()).contains("the root of the repository ends", "draft-root");
            assertThat(alert.times()).isEqualTo(1);
          });

      // Another manager's process, which knows nothing of the alert.
      var restarted = new UpdateExpiry(store, alerts, repository, clock);
      repository.publishRoot(RootFile.sign(repository.draftRoot(List.of(), 0, false), offline));
      restarted.check();
      assertThat(open(alerts)).isEmpty();
    }
  }

  private static List<Alert> open(Alerts alerts) {
    return alerts.list(false, true, "", 0, 10);
  }
}
