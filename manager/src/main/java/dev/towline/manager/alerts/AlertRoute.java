package dev.towline.manager.alerts;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Where alerts are told.
 *
 * @param target {@code https://HOST/PATH} is a webhook, {@code smtp://} or {@code
 *     smtps://[USER@]HOST[:PORT]?from=A&to=B} is mail, {@code syslog+udp://} or {@code
 *     syslog+tcp://HOST[:PORT]} is syslog
 * @param secret password of the mail server, or bearer token of the webhook; empty when none
 * @param lastError why the last try failed; empty when it worked
 */
public record AlertRoute(
    String name, String target, String secret, long createdMs, long lastSentMs, String lastError) {
  public static final ErrorCode ROUTE_INVALID = ErrorCode.user("ALERT_ROUTE_INVALID");

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  private static final List<String> SCHEMES =
      List.of("http", "https", "smtp", "smtps", "syslog+udp", "syslog+tcp");

  /**
   * @throws TowlineException when it can't be one
   */
  public static void check(String name, String target) {
    if (!NAME.matcher(name).matches()) {
      throw invalid(
          "route name: '%s' (expected: 1 to 63 letters, digits, '.', '_' and '-')".formatted(name));
    }
    URI uri;
    try {
      uri = new URI(target);
    } catch (URISyntaxException e) {
      throw invalid("route target: " + target + " (" + e.getReason() + ")");
    }
    if (uri.getHost() == null || !SCHEMES.contains(String.valueOf(uri.getScheme()))) {
      throw invalid(
          "route target: %s (expected: SCHEME://HOST with one of %s)"
              .formatted(target, String.join(", ", SCHEMES)));
    }
    if (uri.getScheme().startsWith("smtp")) {
      Map<String, String> query = query(uri);
      for (String key : List.of("from", "to")) {
        if (!query.getOrDefault(key, "").contains("@")) {
          throw invalid("route target: %s (expected: ?from=ADDRESS&to=ADDRESS)".formatted(target));
        }
      }
    }
  }

  URI uri() {
    return URI.create(target);
  }

  static Map<String, String> query(URI uri) {
    Map<String, String> query = new TreeMap<>();
    if (uri.getRawQuery() != null) {
      Arrays.stream(uri.getRawQuery().split("&"))
          .filter(part -> part.contains("="))
          .forEach(part -> {
            int equals = part.indexOf('=');
            query.put(
                part.substring(0, equals),
                URLDecoder.decode(part.substring(equals + 1), StandardCharsets.UTF_8));
          });
    }
    return query;
  }

  private static TowlineException invalid(String message) {
    return new TowlineException(ROUTE_INVALID, message, "see towline alerts route --help");
  }
}
