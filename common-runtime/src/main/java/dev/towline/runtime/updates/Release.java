package dev.towline.runtime.updates;

import dev.towline.runtime.json.JsonTrees;
import java.util.Comparator;
import java.util.Optional;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A version of a component.
 *
 * @param number grows with each import of the component; says which is the later one
 * @param current it is the one that hosts shall have; going back is a publication like any other
 * @param bytes of all its files
 * @param length of its manifest
 * @param sha256 of its manifest
 */
public record Release(
    String component,
    String version,
    long number,
    boolean current,
    long files,
    long bytes,
    long length,
    String sha256)
    implements Comparable<Release> {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}");
  private static final Comparator<Release> ORDER =
      Comparator.comparing(Release::component).thenComparing(Release::number);
  private static final String FOLDER = "manifests/";

  public Release {
    if (!isName(component) || !isName(version)) {
      throw new IllegalArgumentException("component or version: neither letters, digits, nor ._+-");
    }
  }

  /** Whether a component or a version may be called so. */
  public static boolean isName(String text) {
    return NAME.matcher(text).matches();
  }

  /** Its name in the list of targets. */
  public String target() {
    return FOLDER + component + "/" + version + ".json";
  }

  /** Where its manifest is in the repository. */
  public String manifestPath() {
    return RepositoryPaths.target(target(), sha256);
  }

  public Release asCurrent(boolean isCurrent) {
    return new Release(component, version, number, isCurrent, files, bytes, length, sha256);
  }

  /** Empty for a target of another kind, which a later version may know. */
  static Optional<Release> parse(String target, JsonNode json, String what) throws UpdateRefused {
    JsonNode custom = json.path("custom");
    if (!target.startsWith(FOLDER) || !custom.isObject()) {
      return Optional.empty();
    }
    String component = MetadataJson.text(custom, "component", what);
    String version = MetadataJson.text(custom, "version", what);
    if (!isName(component) || !isName(version)) {
      throw MetadataJson.malformed(what, "a component or version of another form");
    }
    var release =
        new Release(
            component,
            version,
            MetadataJson.number(custom, "number", 1, what),
            MetadataJson.flag(custom, "current", what),
            MetadataJson.number(custom, "files", 0, what),
            MetadataJson.number(custom, "bytes", 0, what),
            MetadataJson.number(json, "length", 1, what),
            MetadataJson.sha256(json, what));
    if (!release.target().equals(target)) {
      throw MetadataJson.malformed(what, "a target under another name than its component's");
    }
    return Optional.of(release);
  }

  ObjectNode json() {
    ObjectNode json = JsonTrees.newObject();
    json.put("length", length);
    json.putObject("hashes").put("sha256", sha256);
    ObjectNode custom = json.putObject("custom");
    custom.put("component", component);
    custom.put("version", version);
    custom.put("number", number);
    custom.put("current", current);
    custom.put("files", files);
    custom.put("bytes", bytes);
    return json;
  }

  @Override
  public int compareTo(Release other) {
    return ORDER.compare(this, other);
  }
}
