package dev.towline.manager.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.events.Events;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.sqlite.SqliteDatabase;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AccessTest {
  private static final String PASSWORD = "four words are long enough";

  @TempDir private Path directory;
  private Instant now = Instant.parse("2026-01-01T00:00:00Z");
  private Store store;
  private Access access;

  @BeforeEach
  void start() {
    store = SqliteDatabase.open(directory.resolve("test.db"));
    InstantSource clock = () -> now;
    access = new Access(store, new Events(store, clock), clock, new SecureRandom());
  }

  @AfterEach
  void stop() {
    store.close();
  }

  @Test
  @Requirement("G4")
  void createFirstUser_secondStart_makesNoOther() {
    String password = access.createFirstUser(Optional.empty()).orElseThrow();

    assertThat(access.createFirstUser(Optional.empty())).isEmpty();
    assertThat(access.signIn("admin", password).passwordChangeAdvised()).isTrue();
  }

  @Test
  @Requirement("G4")
  void authenticate_tokenThatExpiredOrWasNeverGiven_isNobody() {
    access.createFirstUser(Optional.of(PASSWORD));
    String token = access.signIn("admin", PASSWORD).token();

    assertThat(access.authenticate(token)).map(Principal::user).contains("admin");
    assertThat(access.authenticate("other")).isEmpty();
    now = now.plus(Duration.ofHours(13));
    assertThat(access.authenticate(token)).isEmpty();
  }

  @Test
  @Requirement("G4")
  void signIn_fiveWrongPasswords_locksForAWhile() {
    access.createFirstUser(Optional.of(PASSWORD));
    for (int i = 0; i < 5; i++) {
      assertRefused(() -> access.signIn("admin", "wrong"), Access.SIGN_IN_FAILED);
    }

    assertRefused(() -> access.signIn("admin", PASSWORD), Access.ACCOUNT_LOCKED);
    now = now.plusSeconds(61);
    assertThat(access.signIn("admin", PASSWORD).token()).isNotEmpty();
  }

  @Test
  void signIn_unknownUser_looksLikeAWrongPassword() {
    access.createFirstUser(Optional.of(PASSWORD));

    assertRefused(() -> access.signIn("nobody", PASSWORD), Access.SIGN_IN_FAILED);
  }

  @Test
  @Requirement("G4")
  void changePassword_right_endsOtherSignIns() {
    access.createFirstUser(Optional.of(PASSWORD));
    String other = access.signIn("admin", PASSWORD).token();
    String own = access.signIn("admin", PASSWORD).token();
    Principal principal = access.authenticate(own).orElseThrow();

    access.changePassword(principal, PASSWORD, "another four words here");

    assertThat(access.authenticate(own)).isPresent();
    assertThat(access.authenticate(other)).isEmpty();
    assertRefused(() -> access.signIn("admin", PASSWORD), Access.SIGN_IN_FAILED);
  }

  @Test
  void changePassword_short_isRefused() {
    access.createFirstUser(Optional.of(PASSWORD));
    Principal principal =
        access.authenticate(access.signIn("admin", PASSWORD).token()).orElseThrow();

    assertRefused(
        () -> access.changePassword(principal, PASSWORD, "short"), Access.PASSWORD_INVALID);
  }

  private static void assertRefused(ThrowingCallable call, ErrorCode code) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(TowlineException.class, e -> assertThat(e.code()).isEqualTo(code));
  }
}
