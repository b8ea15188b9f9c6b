package dev.towline.runtime.updates;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.json.JsonTrees;
import dev.towline.runtime.updates.UpdateRefused.Reason;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Base64;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The metadata that a client trusts, as it came. It is what a rollback is measured by, so it is one
 * file, and on the disk before it counts: a crash leaves all of it as it was or as it shall be.
 *
 * <p>Threading: one thread at a time.
 */
public final class TrustedState {
  private final @Nullable Path file;
  private Map<MetadataRole, byte[]> metadata;

  private TrustedState(@Nullable Path file, Map<MetadataRole, byte[]> metadata) {
    this.file = file;
    this.metadata = metadata;
  }

  /**
   * @param file none yet is a client that has seen nothing
   * @throws UpdateRefused when it can't be read: what was trusted is not forgotten by itself
   */
  public static TrustedState open(Path file) throws IOException, UpdateRefused {
    Map<MetadataRole, byte[]> metadata = new EnumMap<>(MetadataRole.class);
    try {
      JsonNode root = JsonTrees.parse(Files.readString(file));
      for (MetadataRole role : MetadataRole.values()) {
        if (root.has(role.label())) {
          metadata.put(role, Base64.getDecoder().decode(root.get(role.label()).asString()));
        }
      }
    } catch (NoSuchFileException _) {
      // the first time
    } catch (JacksonException
        | IllegalArgumentException
        | java.nio.charset.CharacterCodingException _) {
      throw unreadable(file);
    }
    return new TrustedState(file, metadata);
  }

  /** For one look that leaves nothing behind. */
  public static TrustedState inMemory() {
    return new TrustedState(null, new EnumMap<>(MetadataRole.class));
  }

  UpdateRefused unreadable() {
    return unreadable(file);
  }

  private static UpdateRefused unreadable(@Nullable Path file) {
    return new UpdateRefused(
        Reason.STATE_UNREADABLE,
        file + " is damaged; delete it to trust the pinned root again, without memory of versions");
  }

  Optional<byte[]> get(MetadataRole role) {
    return Optional.ofNullable(metadata.get(role));
  }

  /** Returns when it is on the disk. */
  void put(MetadataRole role, byte[] content) throws IOException {
    Map<MetadataRole, byte[]> changed = new EnumMap<>(metadata);
    changed.put(role, content);
    save(changed);
  }

  /** A new root; what the old one's keys vouched for is forgotten with it if they changed. */
  void putRoot(byte[] content, boolean forgetsVersions) throws IOException {
    Map<MetadataRole, byte[]> changed = new EnumMap<>(metadata);
    changed.put(MetadataRole.ROOT, content);
    if (forgetsVersions) {
      changed.remove(MetadataRole.TIMESTAMP);
      changed.remove(MetadataRole.SNAPSHOT);
    }
    save(changed);
  }

  private void save(Map<MetadataRole, byte[]> changed) throws IOException {
    if (file != null) {
      ObjectNode root = JsonTrees.newObject();
      changed.forEach(
          (role, content) -> root.put(role.label(), Base64.getEncoder().encodeToString(content)));
      DurableFiles.replace(file, JsonTrees.text(root).getBytes(StandardCharsets.UTF_8));
    }
    metadata = changed;
  }
}
