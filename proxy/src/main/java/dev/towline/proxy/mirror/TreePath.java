package dev.towline.proxy.mirror;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a path of a published tree asks for, as far as a mirror can tell without knowing where the
 * manager has put the tree.
 */
sealed interface TreePath {
  /**
   * A file whose name is the hash of its content.
   *
   * @param tree where the tree is, with slashes at both ends
   */
  record Content(String tree, String sha256) implements TreePath {}

  /** Signed metadata. */
  record Metadata(String tree, String name) implements TreePath {
    /** Whether a host asks for it to see whether it is there at all. */
    boolean isRoot() {
      return name.endsWith(".root.json");
    }
  }

  /** Anything else. */
  record Other() implements TreePath {}

  /** The files of components under their own names; those may look like anything. */
  String NAMED = "/content/";

  /** Of one segment after the other, the fewest that will do. */
  String TREE = "(/(?:[A-Za-z0-9._~-]{1,64}/){1,8}?)";

  Pattern FILE = Pattern.compile(TREE + "files/([0-9a-f]{2})/(\\2[0-9a-f]{62})");
  Pattern TARGET =
      Pattern.compile(
          TREE
              + "targets/(?:[A-Za-z0-9._~%-]{1,200}/){0,8}([0-9a-f]{64})\\.[A-Za-z0-9._~%-]{1,200}");
  Pattern METADATA =
      Pattern.compile(
          TREE + "metadata/(timestamp\\.json|[0-9]{1,18}\\.(?:root|targets|snapshot)\\.json)");

  /**
   * @param raw as it is on the wire, without a query
   */
  static TreePath parse(String raw) {
    if (raw.contains("/../") || raw.contains("/./")) {
      return new Other();
    }
    Matcher file = FILE.matcher(raw);
    if (file.matches() && !file.group(1).contains(NAMED)) {
      return new Content(file.group(1), file.group(3));
    }
    Matcher target = TARGET.matcher(raw);
    if (target.matches() && !target.group(1).contains(NAMED)) {
      return new Content(target.group(1), target.group(2));
    }
    Matcher metadata = METADATA.matcher(raw);
    if (metadata.matches() && !metadata.group(1).contains(NAMED)) {
      return new Metadata(metadata.group(1), metadata.group(2));
    }
    return new Other();
  }
}
