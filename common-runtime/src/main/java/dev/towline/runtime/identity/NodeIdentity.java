package dev.towline.runtime.identity;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The certified name of one program: {@code spiffe://<fleet>/<role>/<id>}. Fleet and id are lower
 * case letters, digits and hyphens.
 */
public record NodeIdentity(String fleet, Role role, String id) {
  private static final Pattern URI =
      Pattern.compile("spiffe://([a-z0-9-]{1,63})/([a-z]+)/([a-z0-9-]{1,63})");

  public String uri() {
    return "spiffe://" + fleet + "/" + role.label() + "/" + id;
  }

  /** Empty when the text is not a name of this form. */
  public static Optional<NodeIdentity> parse(String uri) {
    Matcher matcher = URI.matcher(uri);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    return Role.ofLabel(matcher.group(2))
        .map(role -> new NodeIdentity(matcher.group(1), role, matcher.group(3)));
  }

  @Override
  public String toString() {
    return uri();
  }
}
