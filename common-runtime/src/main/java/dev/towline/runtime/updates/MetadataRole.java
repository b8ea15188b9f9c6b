package dev.towline.runtime.updates;

import java.util.Locale;
import java.util.Optional;

/** The top-level roles of a repository; each kind of metadata is signed by the keys of its role. */
public enum MetadataRole {
  ROOT,
  TARGETS,
  SNAPSHOT,
  TIMESTAMP;

  /** As metadata names it. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  public static Optional<MetadataRole> ofLabel(String label) {
    for (MetadataRole role : values()) {
      if (role.label().equals(label)) {
        return Optional.of(role);
      }
    }
    return Optional.empty();
  }

  /** Name of the file in a consistent snapshot; a timestamp is the only one without its version. */
  public String fileName(long version) {
    return this == TIMESTAMP ? "timestamp.json" : version + "." + label() + ".json";
  }
}
