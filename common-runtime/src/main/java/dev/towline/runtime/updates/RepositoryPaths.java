package dev.towline.runtime.updates;

import java.nio.charset.StandardCharsets;

/** Where things are below a repository's address. All but the timestamp never change. */
public final class RepositoryPaths {
  public static final String METADATA = "metadata/";
  public static final String TARGETS = "targets/";
  public static final String FILES = "files/";

  /** For people and other programs: the current versions' files under their names. */
  public static final String CONTENT = "content/";

  private static final int SHARD = 2;
  private static final String UNRESERVED = "/-._~";

  private RepositoryPaths() {}

  public static String metadata(MetadataRole role, long version) {
    return METADATA + role.fileName(version);
  }

  /** A target of a consistent snapshot: the hash before the last part of its name. */
  public static String target(String name, String sha256) {
    int slash = name.lastIndexOf('/') + 1;
    return TARGETS + name.substring(0, slash) + sha256 + "." + name.substring(slash);
  }

  /** A file of a component, by its content. */
  public static String file(String sha256) {
    return FILES + sha256.substring(0, SHARD) + "/" + sha256;
  }

  /** A path as it stands in an address: everything but letters, digits and {@code -._~} escaped. */
  public static String encode(String path) {
    var out = new StringBuilder();
    for (byte b : path.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      if (c < 0x80 && (Character.isLetterOrDigit(c) || UNRESERVED.indexOf(c) >= 0)) {
        out.append(c);
      } else {
        out.append("%%%02X".formatted((int) c));
      }
    }
    return out.toString();
  }
}
