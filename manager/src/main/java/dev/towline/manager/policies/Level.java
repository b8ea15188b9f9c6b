package dev.towline.manager.policies;

import java.util.Collections;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * One place where settings can be given.
 *
 * @param name of the policy, or id of the host
 * @param parent the policy above; empty for base
 * @param settings what is set here, all else is inherited
 * @param version counts the changes, from 1; 0 when it was never changed
 * @param change what was different from the version before, for people
 */
public record Level(
    Kind kind,
    String name,
    String parent,
    String description,
    SortedMap<String, String> settings,
    long version,
    long changedMs,
    String author,
    String change) {
  public static final String BASE = "base";

  /** Whose settings they are. */
  public enum Kind {
    POLICY,
    HOST;

    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  public Level {
    settings = Collections.unmodifiableSortedMap(new TreeMap<>(settings));
  }

  static Level fresh(Kind kind, String name, String parent) {
    return new Level(kind, name, parent, "", new TreeMap<>(), 0, 0, "", "");
  }

  Level with(String newParent, String newDescription, Map<String, String> newSettings) {
    return new Level(
        kind,
        name,
        newParent,
        newDescription,
        new TreeMap<>(newSettings),
        version,
        changedMs,
        author,
        change);
  }

  boolean sameAs(Level other) {
    return parent.equals(other.parent)
        && description.equals(other.description)
        && settings.equals(other.settings);
  }
}
