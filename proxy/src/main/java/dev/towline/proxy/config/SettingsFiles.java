package dev.towline.proxy.config;

import dev.towline.runtime.config.SettingSources;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Reads the files that settings come from. */
public final class SettingsFiles {
  private static final YAMLMapper YAML = YAMLMapper.builder().build();

  private SettingsFiles() {}

  /** The operator's file. */
  public static Map<String, List<String>> readYaml(Path file) {
    return read(file);
  }

  /** What enrollment brought; nothing before. */
  public static Map<String, List<String>> readKept(Path file) throws IOException {
    Optional<NodeConfig> kept = NodeConfig.load(file);
    if (kept.isEmpty()) {
      return Map.of();
    }
    Map<String, List<String>> values = new LinkedHashMap<>(texts(kept.get().settings()));
    values.put("servers", kept.get().servers().stream().map(ServerAddress::toString).toList());
    return values;
  }

  private static Map<String, List<String>> read(Path file) {
    JsonNode root;
    try {
      root = YAML.readTree(Files.readString(file));
    } catch (IOException | JacksonException e) {
      throw new TowlineException(
          SettingSources.INVALID,
          "%s can't be read: %s".formatted(file, e.getMessage()),
          "correct the file",
          e);
    }
    return texts(root);
  }

  private static Map<String, List<String>> texts(JsonNode root) {
    Map<String, List<String>> values = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : root.properties()) {
      List<String> texts = new ArrayList<>();
      if (entry.getValue().isArray()) {
        entry.getValue().values().forEach(item -> texts.add(item.asString("")));
      } else if (!entry.getValue().isNull()) {
        texts.add(entry.getValue().asString(""));
      }
      values.put(entry.getKey(), texts);
    }
    return values;
  }
}
