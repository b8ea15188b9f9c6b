package dev.towline.manager.install;

import dev.towline.manager.enrollment.EnrollmentToken;
import dev.towline.manager.events.Events;
import dev.towline.manager.store.Store;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Optional;

/**
 * Says to a host whether the install command it was given still holds for it, before anything is
 * installed there; what was refused is recorded. Enrollment itself checks again.
 */
public final class CommandChecks {
  private final Store store;
  private final Events events;
  private final InstantSource clock;

  public CommandChecks(Store store, Events events, InstantSource clock) {
    this.store = store;
    this.events = events;
    this.clock = clock;
  }

  /**
   * @param message one line for the host
   */
  public record Refusal(String code, String message) {}

  /** The script of an install command, empty when there is none of this id. */
  public Optional<String> script(String tokenId) {
    return store.read(tx -> tx.scripts().find(tokenId));
  }

  /** Whether this id is an install command's. */
  public boolean exists(String tokenId) {
    return store.read(tx -> tx.tokens().find(tokenId)).isPresent();
  }

  /** Empty when the command holds for a host of this system. */
  public Optional<Refusal> check(String tokenId, String os, String architecture, String source) {
    Optional<EnrollmentToken> token = store.read(tx -> tx.tokens().find(tokenId));
    Optional<Refusal> refusal =
        token.isEmpty()
            ? Optional.of(
                new Refusal("TOKEN_UNKNOWN", "it does not exist; ask for a new install command"))
            : refusal(token.get(), os, architecture);
    if (refusal.isPresent() && token.isPresent()) {
      String code = refusal.get().code();
      var event =
          events.of(
              "enrollment.refused." + code.toLowerCase(Locale.ROOT),
              tokenId,
              "before the installation, " + os + " " + architecture + " at " + source,
              Events.MANAGER);
      store.commit(tx -> {
        tx.tokens().refused(tokenId, code);
        tx.events().add(event, "");
        return code;
      });
    }
    return refusal;
  }

  private Optional<Refusal> refusal(EnrollmentToken token, String os, String architecture) {
    long now = clock.millis();
    if (token.revokedMs() > 0) {
      return Optional.of(
          new Refusal(
              "TOKEN_REVOKED",
              "it was revoked at " + time(token.revokedMs()) + "; ask for a new one"));
    }
    if (token.expiresMs() <= now) {
      return Optional.of(
          new Refusal(
              "TOKEN_EXPIRED", "it expired at " + time(token.expiresMs()) + "; ask for a new one"));
    }
    if (token.maxUses() > 0 && token.uses() >= token.maxUses()) {
      return Optional.of(
          new Refusal(
              "TOKEN_USED_UP",
              "it was for " + token.maxUses() + " hosts and is used up; ask for a new one"));
    }
    if (!token.os().isEmpty() && !token.os().equals(os)) {
      return Optional.of(
          new Refusal("TOKEN_WRONG_OS", "it is for " + token.os() + ", this host runs " + os));
    }
    if (!architecture.equals("x86_64") && !architecture.equals("amd64")) {
      return Optional.of(
          new Refusal(
              "TOKEN_WRONG_ARCHITECTURE", "it is for x86_64, this host is " + architecture));
    }
    return Optional.empty();
  }

  private static String time(long ms) {
    return Instant.ofEpochMilli(ms).truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
