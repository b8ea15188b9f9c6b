package dev.towline.manager.updates;

import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.json.JsonTrees;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * How the tree is served (U2, U6).
 *
 * @param path with a slash at both ends
 * @param listing folders are shown
 * @param user empty: nobody is asked for a password
 * @param salt of the password's hash; the password itself is in the policies of those who need it
 */
public record Serving(String path, boolean listing, String user, String salt, String hash) {
  public static final Serving STANDARD = new Serving("/updates/", false, "", "", "");

  private static final Pattern PATH = Pattern.compile("/([A-Za-z0-9._~-]{1,64}/){1,8}");
  private static final List<String> TAKEN = List.of("/install/", "/packages/");
  private static final int SALT = 16;
  private static final String CONTEXT = "towline updates password v1";
  private static final String BASIC = "Basic ";

  /** The path as it is kept. */
  public Serving withPath(String wanted) {
    String slashed = wanted.endsWith("/") ? wanted : wanted + "/";
    if (!PATH.matcher(slashed).matches()
        || slashed.contains("/../")
        || slashed.contains("/./")
        || TAKEN.stream().anyMatch(slashed::startsWith)) {
      throw UpdateErrors.invalid(
          "path: %s (expected: for instance /updates/, and not below /install/ or /packages/)"
              .formatted(wanted),
          "choose another one");
    }
    return new Serving(slashed, listing, user, salt, hash);
  }

  public Serving withListing(boolean shown) {
    return new Serving(path, shown, user, salt, hash);
  }

  /** Empty user and password: open to everybody. */
  public Serving withUser(String name, String password, SecureRandom random) {
    if (name.isEmpty() && password.isEmpty()) {
      return new Serving(path, listing, "", "", "");
    }
    if (name.isEmpty() || password.isEmpty() || name.contains(":")) {
      throw UpdateErrors.invalid(
          "user and password: one of them is missing, or the user has a colon",
          "give both, or neither to let everybody in");
    }
    byte[] fresh = new byte[SALT];
    random.nextBytes(fresh);
    String text = HexFormat.of().formatHex(fresh);
    return new Serving(path, listing, name, text, hash(text, password));
  }

  /** Whether a request with this Authorization header gets an answer. */
  public boolean admits(@Nullable String authorization) {
    if (user.isEmpty()) {
      return true;
    }
    if (authorization == null || !authorization.regionMatches(true, 0, BASIC, 0, BASIC.length())) {
      return false;
    }
    try {
      String given =
          new String(
              Base64.getDecoder().decode(authorization.substring(BASIC.length()).strip()),
              StandardCharsets.UTF_8);
      int colon = given.indexOf(':');
      return colon > 0
          && isSame(given.substring(0, colon), user)
          && isSame(hash(salt, given.substring(colon + 1)), hash);
    } catch (IllegalArgumentException _) {
      return false;
    }
  }

  private static boolean isSame(String one, String other) {
    return MessageDigest.isEqual(
        one.getBytes(StandardCharsets.UTF_8), other.getBytes(StandardCharsets.UTF_8));
  }

  private static String hash(String salt, String password) {
    return HexFormat.of()
        .formatHex(
            Signatures.hmacSha256(
                salt.getBytes(StandardCharsets.UTF_8),
                CONTEXT,
                password.getBytes(StandardCharsets.UTF_8)));
  }

  static Serving parse(String text) {
    JsonNode root = JsonTrees.parse(text);
    return new Serving(
        root.path("path").asString(),
        root.path("listing").asBoolean(),
        root.path("user").asString(),
        root.path("salt").asString(),
        root.path("hash").asString());
  }

  String text() {
    ObjectNode root = JsonTrees.newObject();
    root.put("path", path);
    root.put("listing", listing);
    root.put("user", user);
    root.put("salt", salt);
    root.put("hash", hash);
    return JsonTrees.text(root);
  }
}
