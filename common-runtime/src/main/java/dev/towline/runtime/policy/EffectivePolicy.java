package dev.towline.runtime.policy;

import com.google.protobuf.ByteString;
import dev.towline.runtime.identity.Fingerprints;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a host shall go by: the settings of its policies that are not left to the default, by name.
 * Both ends compute the fingerprint from the content, so that it says what is there and not what
 * was once meant (H6).
 */
public record EffectivePolicy(SortedMap<String, String> settings) {
  public static final EffectivePolicy EMPTY = new EffectivePolicy(Map.of());

  /** Between heartbeats, in milliseconds. */
  public static final String HEARTBEAT_INTERVAL = "heartbeat.interval";

  /** Label of the TLS profile. */
  public static final String TLS_PROFILE = "tls.profile";

  /** Files whose new lines are sent, with commas between them; see {@link #files}. */
  public static final String LOG_FILES = "logs.files";

  /** Whether the agent's own log is sent: yes or no. */
  public static final String OWN_LOG = "logs.own";

  /** In place of a list of files. */
  public static final String NO_FILES = "none";

  /** A {@link Direction}. */
  public static final String DIRECTION = "connection.direction";

  /** Where an agent listens. */
  public static final String LISTEN_PORT = "connection.listen-port";

  /** Where an agent listens when no policy says it. */
  public static final int STANDARD_LISTEN_PORT = 7118;

  public EffectivePolicy {
    settings = Collections.unmodifiableSortedMap(new TreeMap<>(settings));
  }

  public EffectivePolicy(Map<String, String> settings) {
    this(new TreeMap<>(settings));
  }

  /** As a log may show it: without secrets. */
  public Map<String, String> shown() {
    Map<String, String> shown = new TreeMap<>(settings);
    shown.replaceAll((name, value) -> UpdatePolicy.isSecret(name) ? UpdatePolicy.HIDDEN : value);
    return shown;
  }

  /** The files of a value of {@link #LOG_FILES}. */
  public static List<String> files(String value) {
    return value.equals(NO_FILES) ? List.of() : List.of(value.split(","));
  }

  /** Who dials whom. */
  public Direction direction() {
    return Optional.ofNullable(settings.get(DIRECTION))
        .flatMap(Direction::ofLabel)
        .orElse(Direction.BIDIRECTIONAL);
  }

  public int listenPort() {
    String port = settings.get(LISTEN_PORT);
    return port == null ? STANDARD_LISTEN_PORT : Integer.parseInt(port);
  }

  /** This policy with the direction and the port of another one. */
  public EffectivePolicy withConnectionOf(EffectivePolicy other) {
    Map<String, String> mixed = new TreeMap<>(settings);
    for (String name : List.of(DIRECTION, LISTEN_PORT)) {
      String value = other.settings.get(name);
      if (value == null) {
        mixed.remove(name);
      } else {
        mixed.put(name, value);
      }
    }
    return new EffectivePolicy(mixed);
  }

  /**
   * SHA-256 over every name and value with their lengths; of no settings it is empty, which is also
   * what a host without any policy reports.
   */
  public ByteString fingerprint() {
    if (settings.isEmpty()) {
      return ByteString.EMPTY;
    }
    var text = new StringBuilder("towline policy v1\n");
    settings.forEach((name, value) ->
        text.append(name.length())
            .append(':')
            .append(name)
            .append(value.length())
            .append(':')
            .append(value)
            .append('\n'));
    return ByteString.copyFrom(
        Fingerprints.sha256(text.toString().getBytes(StandardCharsets.UTF_8)));
  }
}
