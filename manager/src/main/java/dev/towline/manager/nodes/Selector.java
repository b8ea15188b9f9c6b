package dev.towline.manager.nodes;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Which nodes are meant: all conditions hold. Written {@code group=web,state=online}; a word
 * without {@code =} is a name or an id; {@code all} and the empty text are every node.
 */
public record Selector(List<Condition> conditions) {
  public static final Selector ALL = new Selector(List.of());
  public static final ErrorCode SELECTOR_INVALID = ErrorCode.user("SELECTOR_INVALID");

  /** What a condition may look at. */
  public enum Field {
    NAME,
    ID,
    GROUP,
    REGION,
    PROVIDER,
    TAG,
    STATE,
    CLUSTER,
    /** Name or id. */
    NODE
  }

  /** The field has the value; names and values are compared exactly. */
  public record Condition(Field field, String value) {}

  public Selector {
    conditions = List.copyOf(conditions);
  }

  /**
   * @throws TowlineException with SELECTOR_INVALID
   */
  public static Selector parse(String text) {
    List<Condition> conditions = new ArrayList<>();
    for (String part : text.split(",", -1)) {
      String word = part.strip();
      if (word.isEmpty() || word.equals("all")) {
        continue;
      }
      int equals = word.indexOf('=');
      if (equals < 0) {
        conditions.add(new Condition(Field.NODE, word));
      } else {
        conditions.add(
            new Condition(
                field(word.substring(0, equals).strip()), word.substring(equals + 1).strip()));
      }
    }
    return new Selector(conditions);
  }

  private static Field field(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "name", "host" -> Field.NAME;
      case "id" -> Field.ID;
      case "group" -> Field.GROUP;
      case "region" -> Field.REGION;
      case "provider", "service-provider" -> Field.PROVIDER;
      case "tag" -> Field.TAG;
      case "state" -> Field.STATE;
      case "cluster", "proxy-cluster" -> Field.CLUSTER;
      default ->
          throw new TowlineException(
              SELECTOR_INVALID,
              "selector key: "
                  + name
                  + " (expected: name, id, group, region, provider, tag, state or cluster)",
              "write conditions as key=value, separated by commas");
    };
  }
}
