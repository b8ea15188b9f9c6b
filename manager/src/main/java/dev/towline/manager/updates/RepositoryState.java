package dev.towline.manager.updates;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.updates.MetadataRole;
import dev.towline.runtime.updates.Release;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What the repository shall say. It is on the disk before it is published: after a crash between
 * the two, publishing is done again, and hosts see the publication before until then.
 *
 * @param published versions and dates of what is signed
 */
record RepositoryState(Map<MetadataRole, Signed> published, List<Release> releases) {
  RepositoryState {
    published = Map.copyOf(published);
    releases = releases.stream().sorted().toList();
  }

  record Signed(long version, Instant expires) {}

  Signed of(MetadataRole role) {
    return Objects.requireNonNull(published.get(role));
  }

  RepositoryState with(MetadataRole role, long version, Instant expires) {
    Map<MetadataRole, Signed> changed = new EnumMap<>(published);
    changed.put(role, new Signed(version, expires));
    return new RepositoryState(changed, releases);
  }

  RepositoryState with(List<Release> others) {
    return new RepositoryState(published, others);
  }

  static Optional<RepositoryState> read(Path file) throws IOException {
    try {
      JsonNode root = JsonTrees.parse(Files.readString(file));
      Map<MetadataRole, Signed> published = new EnumMap<>(MetadataRole.class);
      for (MetadataRole role : MetadataRole.values()) {
        JsonNode signed = root.path("published").path(role.label());
        published.put(
            role,
            new Signed(
                signed.path("version").asLong(), Instant.parse(signed.path("expires").asString())));
      }
      List<Release> releases = new ArrayList<>();
      for (JsonNode release : root.path("releases")) {
        releases.add(
            new Release(
                release.path("component").asString(),
                release.path("version").asString(),
                release.path("number").asLong(),
                release.path("current").asBoolean(),
                release.path("files").asLong(),
                release.path("bytes").asLong(),
                release.path("length").asLong(),
                release.path("sha256").asString()));
      }
      return Optional.of(new RepositoryState(published, releases));
    } catch (NoSuchFileException _) {
      return Optional.empty();
    } catch (JacksonException | IllegalArgumentException | DateTimeException e) {
      throw new IOException(file + " can't be read", e);
    }
  }

  void write(Path file) throws IOException {
    ObjectNode root = JsonTrees.newObject();
    ObjectNode signed = root.putObject("published");
    for (MetadataRole role : MetadataRole.values()) {
      signed
          .putObject(role.label())
          .put("version", of(role).version())
          .put("expires", of(role).expires().toString());
    }
    ArrayNode list = root.putArray("releases");
    for (Release release : releases) {
      list.addObject()
          .put("component", release.component())
          .put("version", release.version())
          .put("number", release.number())
          .put("current", release.current())
          .put("files", release.files())
          .put("bytes", release.bytes())
          .put("length", release.length())
          .put("sha256", release.sha256());
    }
    DurableFiles.replace(file, JsonTrees.text(root).getBytes(StandardCharsets.UTF_8));
  }
}
