package dev.towline.runtime.enroll;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a program keeps of its enrollment file: where its fleet is, and the settings of its role.
 * Holds no secret.
 *
 * @param name what this host shall be called; empty for its own name
 */
public record NodeConfig(String name, List<ServerAddress> servers, JsonNode settings) {
  public NodeConfig {
    servers = List.copyOf(servers);
  }

  /** Empty when there is no such file. */
  public static Optional<NodeConfig> load(Path file) throws IOException {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    JsonNode root;
    try {
      root = JsonTrees.parse(Files.readString(file));
    } catch (JacksonException e) {
      throw new IOException(file + ": not JSON", e);
    }
    List<ServerAddress> servers = new ArrayList<>();
    for (JsonNode entry : root.path("servers").values()) {
      servers.add(
          ServerAddress.parse(entry.asString(""))
              .orElseThrow(
                  () -> new IOException(file + ": servers: " + entry + " (expected: host:port)")));
    }
    JsonNode settings =
        root.path("settings").isObject() ? root.path("settings") : JsonTrees.newObject();
    return Optional.of(new NodeConfig(root.path("name").asString(""), servers, settings));
  }

  /** Returns when it is on the disk. */
  public void save(Path file) throws IOException {
    ObjectNode root = JsonTrees.newObject();
    root.put("name", name);
    ArrayNode list = root.putArray("servers");
    servers.forEach(server -> list.add(server.toString()));
    root.set("settings", settings);
    DurableFiles.replace(file, JsonTrees.text(root).getBytes(StandardCharsets.UTF_8));
  }
}
