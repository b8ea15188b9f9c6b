package dev.towline.manager.nodes;

import dev.towline.manager.groups.Groups;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** What is to be different about hosts; absent is left as it is. */
public record HostChange(
    Optional<String> group,
    Optional<String> region,
    Optional<String> serviceProvider,
    List<String> addTags,
    List<String> removeTags) {
  public static final ErrorCode CHANGE_INVALID = ErrorCode.user("HOST_CHANGE_INVALID");

  private static final Pattern TAG = Pattern.compile("[^,\\s][^,]{0,62}");

  public HostChange {
    addTags = List.copyOf(addTags);
    removeTags = List.copyOf(removeTags);
  }

  /** Where a host stands. */
  public record Place(String group, String region, String serviceProvider, List<String> tags) {
    public Place {
      tags = List.copyOf(tags);
    }
  }

  void check() {
    if (group.isEmpty()
        && region.isEmpty()
        && serviceProvider.isEmpty()
        && addTags.isEmpty()
        && removeTags.isEmpty()) {
      throw invalid("change: nothing (expected: a group, region, service provider or tag)");
    }
    group.filter(name -> !name.isEmpty()).ifPresent(Groups::checkName);
    for (String tag : addTags) {
      if (!TAG.matcher(tag).matches()) {
        throw invalid("tag: '" + tag + "' (expected: 1 to 63 characters, no comma)");
      }
    }
  }

  Place of(Node node) {
    var tags = new TreeSet<>(node.tags());
    tags.addAll(addTags);
    removeTags.forEach(tags::remove);
    return new Place(
        group.orElse(node.group()),
        region.orElse(node.region()),
        serviceProvider.orElse(node.serviceProvider()),
        List.copyOf(tags));
  }

  private static TowlineException invalid(String message) {
    return new TowlineException(CHANGE_INVALID, message, "correct it and try again");
  }
}
