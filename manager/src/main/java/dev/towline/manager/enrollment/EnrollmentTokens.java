package dev.towline.manager.enrollment;

import dev.towline.manager.groups.Groups;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Makes, lists and revokes enrollment tokens. Safe for use by several threads. */
public final class EnrollmentTokens {
  public static final ErrorCode TOKEN_NOT_FOUND = ErrorCode.user("INSTALL_COMMAND_NOT_FOUND");
  public static final ErrorCode TOKEN_INVALID = ErrorCode.user("INSTALL_COMMAND_INVALID");

  private static final Duration LONGEST = Duration.ofDays(365);

  private final Store store;
  private final InstantSource clock;
  private final SecureRandom random;

  public EnrollmentTokens(Store store, InstantSource clock, SecureRandom random) {
    this.store = store;
    this.clock = clock;
    this.random = random;
  }

  public CreatedToken create(NewToken wanted) {
    return store.commit(tx -> create(tx, wanted));
  }

  /** The same as part of a transaction. */
  public CreatedToken create(Tx tx, NewToken wanted) {
    check(wanted);
    byte[] secret = new byte[32];
    random.nextBytes(secret);
    byte[] id = new byte[8];
    random.nextBytes(id);
    long now = clock.millis();
    EnrollmentToken token =
        new EnrollmentToken(
            HexFormat.of().formatHex(id),
            wanted.role(),
            wanted.os(),
            wanted.name(),
            wanted.nodeId(),
            wanted.group(),
            wanted.region(),
            wanted.serviceProvider(),
            wanted.tags(),
            wanted.proxyCluster(),
            wanted.relay(),
            wanted.imageSystem(),
            now,
            wanted.createdBy(),
            now + wanted.lifetime().toMillis(),
            wanted.maxUses(),
            0,
            0,
            0,
            0,
            "",
            wanted.policy(),
            wanted.sourceNetworks());
    tx.tokens().create(token, secret);
    if (!token.group().isEmpty()) {
      tx.groups().ensure(token.group(), now);
    }
    return new CreatedToken(token, secret);
  }

  public Optional<EnrollmentToken> find(String id) {
    return store.read(tx -> tx.tokens().find(id));
  }

  /** The secret of a token, for its command to be shown once more. */
  public Optional<byte[]> secret(String id) {
    return store.read(tx -> tx.tokens().secret(id));
  }

  /** Newest first. */
  public List<EnrollmentToken> list() {
    return store.read(tx -> tx.tokens().list());
  }

  /** Ends a token now; one that has ended already stays as it is. */
  public EnrollmentToken revoke(String id) {
    return store.commit(tx -> {
      tx.tokens().revoke(id, clock.millis());
      return tx.tokens().find(id).orElseThrow(() -> notFound(id));
    });
  }

  private static void check(NewToken wanted) {
    if (wanted.role() == Role.MANAGER) {
      throw invalid("role: manager (expected: agent, proxy or relay)");
    }
    if (wanted.os().toLowerCase(Locale.ROOT).startsWith("win")) {
      throw new TowlineException(
          TOKEN_INVALID,
          "operating system: '"
              + wanted.os()
              + "' (expected: linux; there is no agent for Windows in this version)",
          "manage Linux hosts, or wait for a version whose notes name Windows");
    }
    if (!wanted.group().isEmpty()) {
      Groups.checkName(wanted.group());
    }
    if (!wanted.os().equals("linux")) {
      throw invalid("operating system: '" + wanted.os() + "' (expected: linux)");
    }
    if (wanted.maxUses() < 0) {
      throw invalid("uses: " + wanted.maxUses() + " (expected: 0 for no limit, or more)");
    }
    if (!wanted.lifetime().isPositive() || wanted.lifetime().compareTo(LONGEST) > 0) {
      throw invalid("expiry: " + wanted.lifetime() + " (expected: up to 365 days)");
    }
  }

  private static TowlineException invalid(String message) {
    return new TowlineException(TOKEN_INVALID, message, "correct it and try again");
  }

  private static TowlineException notFound(String id) {
    return new TowlineException(
        TOKEN_NOT_FOUND,
        "install command: " + id + " does not exist",
        "see towline install-command list");
  }
}
