package dev.towline.agent.updates;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.json.JsonTrees;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.node.ObjectNode;

/**
 * What was put in force, and from where. Only for people: what is in force is what the directories
 * lead to. Safe for use by several threads.
 */
final class InstalledComponents {
  private static final Logger log = LoggerFactory.getLogger(InstalledComponents.class);

  private final Path file;
  private final Map<String, Installed> components = new TreeMap<>();

  private InstalledComponents(Path file) {
    this.file = file;
  }

  /**
   * A component on this host.
   *
   * @param folder of its version, see {@link ComponentDirectory}
   */
  record Installed(String version, String folder, String source, long appliedMs) {}

  static InstalledComponents open(Path file) {
    var installed = new InstalledComponents(file);
    try {
      JsonTrees.parse(Files.readString(file))
          .properties()
          .forEach(entry ->
              installed.components.put(
                  entry.getKey(),
                  new Installed(
                      entry.getValue().path("version").asString(""),
                      entry.getValue().path("folder").asString(""),
                      entry.getValue().path("source").asString(""),
                      entry.getValue().path("applied-ms").asLong(0))));
    } catch (NoSuchFileException _) {
      // the first time
    } catch (IOException | JacksonException e) {
      log.warn("{} can't be read, components are looked at anew", file);
    }
    return installed;
  }

  synchronized Optional<Installed> find(String component) {
    return Optional.ofNullable(components.get(component));
  }

  synchronized void put(String component, Installed installed) throws IOException {
    components.put(component, installed);
    ObjectNode root = JsonTrees.newObject();
    components.forEach((name, one) ->
        root.putObject(name)
            .put("version", one.version())
            .put("folder", one.folder())
            .put("source", one.source())
            .put("applied-ms", one.appliedMs()));
    DurableFiles.replace(file, JsonTrees.text(root).getBytes(StandardCharsets.UTF_8));
  }
}
