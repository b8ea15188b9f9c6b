package dev.towline.agent.image;

import dev.towline.runtime.data.FileTrees;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.json.JsonTrees;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What turns a clone of an enrolled disk into a host of its own (I4): an enrollment file that was
 * ordered by the manager, in the agent's directory. As long as it is there, everything that belongs
 * to the identity of before goes first, however often the agent is killed in between.
 */
public final class NewIdentity {
  /** What two hosts must not share; rules of the firewall and places in log files stay. */
  private static final List<String> SHARED =
      List.of("identity", "session.journal", "policy.json", "logs", "config.json", "enrolled-with");

  private final Path data;
  private final Path file;

  public NewIdentity(Path data) {
    this.data = data;
    this.file = data.resolve("enroll-anew.json");
  }

  /**
   * Remembers the order; returns when it is on the disk.
   *
   * @param caFingerprint lower-case hexadecimal SHA-256 of the fleet's root
   */
  public void order(
      String fleet, String caFingerprint, String tokenId, byte[] secret, NodeConfig config)
      throws IOException {
    ObjectNode root = JsonTrees.newObject();
    root.put("fleet", fleet);
    root.put("role", Role.AGENT.label());
    root.put("ca-fingerprint", caFingerprint);
    root.put("token-id", tokenId);
    root.put("secret", Base64.getUrlEncoder().withoutPadding().encodeToString(secret));
    ArrayNode servers = root.putArray("servers");
    config.servers().forEach(server -> servers.add(server.toString()));
    root.set("settings", config.settings());
    DurableFiles.replace(file, JsonTrees.text(root).getBytes(StandardCharsets.UTF_8));
  }

  /** The enrollment file, when there is one; then nothing of the identity of before is left. */
  public Optional<Path> begin() throws IOException {
    if (!EnrollmentFile.isPresent(file)) {
      return Optional.empty();
    }
    for (String name : SHARED) {
      FileTrees.delete(data.resolve(name));
    }
    DurableFiles.syncDirectory(data);
    return Optional.of(file);
  }
}
