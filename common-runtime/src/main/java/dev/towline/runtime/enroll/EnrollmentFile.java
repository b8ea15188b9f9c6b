package dev.towline.runtime.enroll;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * What an install command leaves on a host for the first start: where the fleet is, how to
 * recognise it, and the secret that lets this host in. It is deleted once it has been used.
 *
 * @param caFingerprint lower-case hexadecimal SHA-256 of the fleet's root
 * @param settings of the role, an empty object when there are none
 */
public record EnrollmentFile(
    String fleet,
    Role role,
    String caFingerprint,
    String tokenId,
    EnrollmentSecret secret,
    List<ServerAddress> servers,
    JsonNode settings) {
  public static final ErrorCode UNREADABLE = ErrorCode.user("ENROLLMENT_FILE_UNREADABLE");
  public static final ErrorCode INVALID = ErrorCode.user("ENROLLMENT_FILE_INVALID");

  private static final Pattern FINGERPRINT = Pattern.compile("[0-9a-f]{64}");
  private static final Set<String> KEYS =
      Set.of("fleet", "role", "ca-fingerprint", "token-id", "secret", "servers", "settings");

  public EnrollmentFile {
    servers = List.copyOf(servers);
  }

  /**
   * Reads a file and tells all its problems at once.
   *
   * @throws TowlineException when it can't be read or doesn't hold what it should
   */
  public static EnrollmentFile read(Path file) {
    try {
      return parse(Files.readString(file), file.toString());
    } catch (IOException e) {
      throw new TowlineException(
          UNREADABLE,
          "enrollment file can't be read: %s (%s)".formatted(file, e.getClass().getSimpleName()),
          "check the path, and that this user may read it",
          e);
    }
  }

  /**
   * The same for text.
   *
   * @param name of the source, for messages
   */
  public static EnrollmentFile parse(String text, String name) {
    JsonNode root;
    try {
      root = JsonTrees.parse(text);
    } catch (JacksonException e) {
      // The cause quotes the text, and so the secret.
      throw invalid(name, List.of("not JSON"));
    }
    List<String> problems = new ArrayList<>();
    if (!root.isObject()) {
      throw invalid(name, List.of("not a JSON object"));
    }
    for (String key : new TreeSet<>(root.propertyNames())) {
      if (!KEYS.contains(key)) {
        problems.add("unknown key: " + key);
      }
    }
    String fleet = string(root, "fleet", problems);
    String roleText = string(root, "role", problems);
    Optional<Role> role = Role.ofLabel(roleText).filter(r -> r != Role.MANAGER);
    if (role.isEmpty()) {
      problems.add("role: '%s' (expected: agent, proxy or relay)".formatted(roleText));
    }
    String fingerprint = string(root, "ca-fingerprint", problems);
    if (!FINGERPRINT.matcher(fingerprint).matches()) {
      problems.add("ca-fingerprint: (expected: 64 lower-case hexadecimal digits)");
    }
    String token = string(root, "token-id", problems);
    byte[] secret = {};
    try {
      secret = Base64.getUrlDecoder().decode(string(root, "secret", problems));
    } catch (IllegalArgumentException e) {
      problems.add("secret: not base64url");
    }
    List<ServerAddress> servers = servers(root.path("servers"), problems);
    JsonNode settings =
        root.path("settings").isObject() ? root.path("settings") : JsonTrees.newObject();
    if (!problems.isEmpty() || role.isEmpty()) {
      throw invalid(name, problems);
    }
    return new EnrollmentFile(
        fleet, role.get(), fingerprint, token, new EnrollmentSecret(secret), servers, settings);
  }

  /** Whether there is a file that has not been destroyed. */
  public static boolean isPresent(Path file) {
    try {
      return Files.size(file) > 0;
    } catch (IOException _) {
      return false;
    }
  }

  /**
   * Overwrites and removes a file that has served. One that is mounted into a container can only be
   * emptied, one that is mounted read-only stays as it is.
   *
   * @return whether the secret is gone from there
   */
  public static boolean destroy(Path file) throws IOException {
    if (!isPresent(file)) {
      return true;
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(Math.toIntExact(channel.size())));
      channel.force(true);
      channel.truncate(0).force(true);
    } catch (FileSystemException _) {
      // Not writable; whoever owns the directory can still remove it.
    }
    try {
      Files.deleteIfExists(file);
    } catch (FileSystemException _) {
      return !isPresent(file);
    }
    Path directory = file.toAbsolutePath().getParent();
    if (directory != null) {
      DurableFiles.syncDirectory(directory);
    }
    return true;
  }

  private static List<ServerAddress> servers(JsonNode node, List<String> problems) {
    List<ServerAddress> servers = new ArrayList<>();
    for (JsonNode entry : node.values()) {
      String text = entry.asString("");
      Optional<ServerAddress> address = ServerAddress.parse(text);
      address.ifPresentOrElse(
          servers::add, () -> problems.add("servers: '%s' (expected: host:port)".formatted(text)));
    }
    if (node.isEmpty()) {
      problems.add("servers: none (expected: at least one host:port)");
    }
    return servers;
  }

  private static String string(JsonNode root, String key, List<String> problems) {
    JsonNode value = root.path(key);
    if (!value.isString() || value.asString().isEmpty()) {
      problems.add(key + ": missing");
      return "";
    }
    return value.asString();
  }

  private static TowlineException invalid(String name, List<String> problems) {
    return new TowlineException(
        INVALID,
        "enrollment file %s: %s".formatted(name, String.join("; ", problems)),
        "create a new install command and run it again");
  }
}
