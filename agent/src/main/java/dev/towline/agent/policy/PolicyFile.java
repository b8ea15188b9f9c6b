package dev.towline.agent.policy;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.policy.EffectivePolicy;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The policy on the disk. One that is missing or can't be read counts as none: its fingerprint then
 * differs from what the manager wants, and the manager sends it again (H6).
 *
 * <p>Threading: one thread at a time writes.
 */
public final class PolicyFile {
  private static final Logger log = LoggerFactory.getLogger(PolicyFile.class);

  private final Path file;
  private volatile EffectivePolicy policy;

  private PolicyFile(Path file, EffectivePolicy policy) {
    this.file = file;
    this.policy = policy;
  }

  public static PolicyFile open(Path file) {
    return new PolicyFile(file, read(file));
  }

  public EffectivePolicy policy() {
    return policy;
  }

  /** Returns when it is on the disk. */
  void replace(EffectivePolicy wanted) throws IOException {
    ObjectNode root = JsonTrees.newObject();
    ObjectNode settings = root.putObject("settings");
    wanted.settings().forEach(settings::put);
    DurableFiles.replace(file, JsonTrees.text(root).getBytes(StandardCharsets.UTF_8));
    policy = wanted;
  }

  private static EffectivePolicy read(Path file) {
    if (!Files.exists(file)) {
      return EffectivePolicy.EMPTY;
    }
    try {
      JsonNode settings = JsonTrees.parse(Files.readString(file)).path("settings");
      var values = new TreeMap<String, String>();
      settings
          .properties()
          .forEach(entry -> values.put(entry.getKey(), entry.getValue().asString()));
      return new EffectivePolicy(values);
    } catch (IOException | JacksonException e) {
      log.warn(
          "policy can't be read, the manager will send it again: {} ({})", file, e.getMessage());
      return EffectivePolicy.EMPTY;
    }
  }
}
