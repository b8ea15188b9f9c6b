package dev.towline.runtime.updates;

import dev.towline.runtime.json.JsonTrees;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The files of one version of a component. Folders are there because of their files; a folder
 * without any isn't kept.
 *
 * @param entries in order of path
 */
public record Manifest(String component, String version, List<Entry> entries) {
  private static final int LONGEST_PATH = 1000;
  private static final int LONGEST_NAME = 255;
  private static final int MOST_ENTRIES = 200_000;

  public Manifest {
    List<Entry> sorted = new ArrayList<>(entries);
    sorted.sort(Comparator.comparing(Entry::path));
    entries = Collections.unmodifiableList(sorted);
    Set<String> files = new HashSet<>();
    for (Entry entry : entries) {
      if (!files.add(entry.path())) {
        throw new IllegalArgumentException("file " + entry.path() + " twice");
      }
    }
    for (Entry entry : entries) {
      String path = entry.path();
      for (int at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
        if (files.contains(path.substring(0, at))) {
          throw new IllegalArgumentException(path.substring(0, at) + " is a file and a folder");
        }
      }
    }
    if (entries.size() > MOST_ENTRIES) {
      throw new IllegalArgumentException(
          "%d files (expected: at most %d)".formatted(entries.size(), MOST_ENTRIES));
    }
  }

  /**
   * A file.
   *
   * @param path below the component's directory, with slashes
   */
  public record Entry(String path, long size, String sha256, boolean executable) {
    public Entry {
      if (!isSafe(path)) {
        throw new IllegalArgumentException("path can't be used: " + path);
      }
      if (size < 0) {
        throw new IllegalArgumentException("size: " + size + " (expected: 0 or more)");
      }
    }
  }

  /** Whether a path stays within its directory on every system, and can be shown. */
  public static boolean isSafe(String path) {
    if (path.isEmpty()
        || path.length() > LONGEST_PATH
        || path.chars().anyMatch(c -> Character.isISOControl(c) || c == '\uFFFD')
        || !StandardCharsets.UTF_8.newEncoder().canEncode(path)) {
      return false;
    }
    for (String name : path.split("/", -1)) {
      if (name.isEmpty()
          || name.equals(".")
          || name.equals("..")
          || name.getBytes(StandardCharsets.UTF_8).length > LONGEST_NAME) {
        return false;
      }
    }
    return true;
  }

  public long bytes() {
    return entries.stream().mapToLong(Entry::size).sum();
  }

  /** What a repository holds, after its length and hash were checked. */
  public static Manifest parse(byte[] content, Release release) throws UpdateRefused {
    String what = release.target();
    JsonNode root = MetadataJson.parse(content, what);
    List<Entry> entries = new ArrayList<>();
    for (JsonNode file : MetadataJson.array(root, "files", what)) {
      String hash = MetadataJson.sha256(MetadataJson.text(file, "sha256", what), what);
      long size = MetadataJson.number(file, "size", 0, what);
      String path = MetadataJson.text(file, "path", what);
      boolean executable = file.has("executable") && MetadataJson.flag(file, "executable", what);
      try {
        entries.add(new Entry(path, size, hash, executable));
      } catch (IllegalArgumentException _) {
        throw MetadataJson.malformed(what, "a path that can't be used");
      }
    }
    try {
      var manifest =
          new Manifest(
              MetadataJson.text(root, "component", what),
              MetadataJson.text(root, "version", what),
              entries);
      if (!manifest.component().equals(release.component())
          || !manifest.version().equals(release.version())
          || manifest.bytes() != release.bytes()
          || manifest.entries().size() != release.files()) {
        throw MetadataJson.malformed(what, "another component, version or size than announced");
      }
      return manifest;
    } catch (IllegalArgumentException _) {
      throw MetadataJson.malformed(what, "a path twice, or too many of them");
    }
  }

  public byte[] content() {
    ObjectNode root = JsonTrees.newObject();
    root.put("component", component);
    root.put("version", version);
    ArrayNode files = root.putArray("files");
    for (Entry entry : entries) {
      ObjectNode file = files.addObject();
      file.put("path", entry.path());
      file.put("size", entry.size());
      file.put("sha256", entry.sha256());
      if (entry.executable()) {
        file.put("executable", true);
      }
    }
    return CanonicalJson.encode(root);
  }
}
