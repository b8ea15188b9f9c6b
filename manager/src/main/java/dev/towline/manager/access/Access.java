package dev.towline.manager.access;

import dev.towline.manager.events.Events;
import dev.towline.manager.store.Store;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Optional;

/**
 * Signs users in and recognises their tokens. Safe for use by several threads.
 *
 * <p>A wrong user costs as much time as a wrong password. After five wrong passwords in a row the
 * user is locked for a minute, then for twice as long with each further one, up to 15 minutes.
 */
public final class Access {
  public static final ErrorCode SIGN_IN_FAILED = ErrorCode.user("SIGN_IN_FAILED");
  public static final ErrorCode ACCOUNT_LOCKED = ErrorCode.user("ACCOUNT_LOCKED");
  public static final ErrorCode PASSWORD_INVALID = ErrorCode.user("PASSWORD_INVALID");
  public static final ErrorCode TOKEN_INVALID = ErrorCode.user("TOKEN_INVALID");

  /** Name of the user that the first start makes. */
  public static final String FIRST_USER = "admin";

  private static final Duration SIGN_IN_LASTS = Duration.ofHours(12);
  private static final int FREE_FAILURES = 5;
  private static final Duration FIRST_LOCK = Duration.ofMinutes(1);
  private static final int MOST_DOUBLINGS = 4;
  private static final Duration LONGEST_LOCK = Duration.ofMinutes(15);
  private static final int SHORTEST_PASSWORD = 12;
  private static final int LONGEST_PASSWORD = 1024;
  private static final String PASSWORD_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";

  private final Store store;
  private final Events events;
  private final InstantSource clock;
  private final SecureRandom random;
  private final PasswordHashes hashes;
  private final String hashOfNobody;

  public Access(Store store, Events events, InstantSource clock, SecureRandom random) {
    this.store = store;
    this.events = events;
    this.clock = clock;
    this.random = random;
    this.hashes = new PasswordHashes(random);
    this.hashOfNobody = hashes.hash(newPassword());
  }

  /** A token to send along with calls. */
  public record SignedIn(String token, long expiresMs, boolean passwordChangeAdvised) {
    @Override
    public String toString() {
      return "SignedIn[]";
    }
  }

  /**
   * Makes the first administrator when there is no user.
   *
   * @param given the password to use; made when empty
   * @return the password, if a user was made
   */
  public Optional<String> createFirstUser(Optional<String> given) {
    if (store.read(tx -> tx.users().count()) > 0) {
      return Optional.empty();
    }
    String password = given.map(Access::checked).orElseGet(this::newPassword);
    String hash = hashes.hash(password);
    boolean made =
        store.commit(tx -> {
          if (tx.users().count() > 0) {
            return false;
          }
          tx.users()
              .save(
                  new User(
                      FIRST_USER,
                      UserRole.ADMINISTRATOR,
                      hash,
                      given.isEmpty(),
                      0,
                      0,
                      clock.millis()));
          return true;
        });
    return made ? Optional.of(password) : Optional.empty();
  }

  public SignedIn signIn(String name, String password) {
    Optional<User> known = store.read(tx -> tx.users().find(name));
    long now = clock.millis();
    if (known.isPresent() && known.get().lockedUntilMs() > now) {
      throw locked(known.get(), now);
    }
    if (password.length() > LONGEST_PASSWORD
        || !hashes.matches(password, known.map(User::passwordHash).orElse(hashOfNobody))
        || known.isEmpty()) {
      known.ifPresent(user -> failed(user.name()));
      events.record("access.sign_in_failed", known.map(User::name).orElse("unknown user"), "");
      throw new TowlineException(
          SIGN_IN_FAILED,
          "user or password is wrong",
          "check both; the first password was printed when the manager first started");
    }
    String token = newToken();
    long expires = now + SIGN_IN_LASTS.toMillis();
    User user = known.get();
    store.commit(tx -> {
      tx.users().save(withFailures(user, 0, 0));
      tx.users().deleteExpired(now);
      tx.users().createSignIn(new UserStore.SignIn(hash(token), user.name(), now, expires));
      return user;
    });
    return new SignedIn(token, expires, user.oneTime());
  }

  /** Who holds this token, while it is valid. */
  public Optional<Principal> authenticate(String token) {
    String hash = hash(token);
    long now = clock.millis();
    return store.read(tx ->
        tx.users()
            .signIn(hash)
            .filter(signIn -> signIn.expiresMs() > now)
            .flatMap(signIn -> tx.users().find(signIn.user()))
            .map(user -> new Principal(user.name(), user.role(), hash)));
  }

  public void signOut(Principal principal) {
    store.commit(tx -> {
      tx.users().deleteSignIn(principal.tokenHash());
      return principal;
    });
  }

  /** Also ends the user's other sign-ins. */
  public void changePassword(Principal principal, String current, String changed) {
    User user = store.read(tx -> tx.users().find(principal.user())).orElseThrow();
    long now = clock.millis();
    if (user.lockedUntilMs() > now) {
      throw locked(user, now);
    }
    if (!hashes.matches(current, user.passwordHash())) {
      failed(user.name());
      throw new TowlineException(
          SIGN_IN_FAILED, "the current password is wrong", "type the password you signed in with");
    }
    String hash = hashes.hash(checked(changed));
    store.commit(tx -> {
      tx.users().save(new User(user.name(), user.role(), hash, false, 0, 0, user.createdMs()));
      tx.users().deleteSignInsExcept(user.name(), principal.tokenHash());
      return user;
    });
  }

  private void failed(String name) {
    long now = clock.millis();
    store.commit(tx -> {
      User user = tx.users().find(name).orElseThrow();
      int failures = user.failures() + 1;
      long until = failures < FREE_FAILURES ? 0 : now + lock(failures - FREE_FAILURES).toMillis();
      tx.users().save(withFailures(user, failures, until));
      return user;
    });
  }

  private static Duration lock(int doublings) {
    Duration lock = FIRST_LOCK.multipliedBy(1L << Math.min(doublings, MOST_DOUBLINGS));
    return lock.compareTo(LONGEST_LOCK) > 0 ? LONGEST_LOCK : lock;
  }

  private static User withFailures(User user, int failures, long lockedUntilMs) {
    return new User(
        user.name(),
        user.role(),
        user.passwordHash(),
        user.oneTime(),
        failures,
        lockedUntilMs,
        user.createdMs());
  }

  private static TowlineException locked(User user, long now) {
    return new TowlineException(
        ACCOUNT_LOCKED,
        "user "
            + user.name()
            + " is locked after "
            + user.failures()
            + " wrong passwords, for "
            + Duration.ofMillis(user.lockedUntilMs() - now).toSeconds()
            + " s more",
        "wait, then sign in with the right password");
  }

  private static String checked(String password) {
    if (password.length() < SHORTEST_PASSWORD || password.length() > LONGEST_PASSWORD) {
      throw new TowlineException(
          PASSWORD_INVALID,
          "password: "
              + password.length()
              + " characters (expected: "
              + SHORTEST_PASSWORD
              + " to "
              + LONGEST_PASSWORD
              + ")",
          "choose a longer one, for instance four words");
    }
    return password;
  }

  private String newToken() {
    byte[] token = new byte[32];
    random.nextBytes(token);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(token);
  }

  /** Twenty letters and digits in groups, 100 bits. */
  private String newPassword() {
    var password = new StringBuilder();
    for (int i = 0; i < 20; i++) {
      if (i > 0 && i % 5 == 0) {
        password.append('-');
      }
      password.append(PASSWORD_ALPHABET.charAt(random.nextInt(PASSWORD_ALPHABET.length())));
    }
    return password.toString();
  }

  private static String hash(String token) {
    return HexFormat.of().formatHex(Fingerprints.sha256(token.getBytes(StandardCharsets.UTF_8)));
  }
}
