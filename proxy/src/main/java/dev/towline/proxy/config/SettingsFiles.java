package dev.towline.proxy.config;

import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Reads and writes the files that settings come from. */
public final class SettingsFiles {
  private static final JsonMapper JSON = JsonMapper.builder().build();
  private static final YAMLMapper YAML = YAMLMapper.builder().build();

  private SettingsFiles() {}

  /** The operator's file. */
  public static Map<String, List<String>> readYaml(Path file) {
    return read(YAML, file);
  }

  /** What enrollment brought, as {@link #keep} wrote it; nothing before. */
  public static Map<String, List<String>> readKept(Path file) {
    return Files.exists(file) ? read(JSON, file) : Map.of();
  }

  /** Keeps what is needed of an enrollment file after it is gone. */
  public static void keep(Path file, EnrollmentFile enrollment) throws IOException {
    ObjectNode kept = JSON.createObjectNode();
    ArrayNode servers = kept.putArray("servers");
    for (ServerAddress server : enrollment.servers()) {
      servers.add(server.toString());
    }
    for (Map.Entry<String, JsonNode> setting : enrollment.settings().properties()) {
      kept.set(setting.getKey(), setting.getValue());
    }
    DurableFiles.replace(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(kept));
  }

  private static Map<String, List<String>> read(ObjectMapper mapper, Path file) {
    JsonNode root;
    try {
      root = mapper.readTree(Files.readString(file));
    } catch (IOException | JacksonException e) {
      throw new TowlineException(
          ProxySettings.INVALID,
          "%s can't be read: %s".formatted(file, e.getMessage()),
          "correct the file",
          e);
    }
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
