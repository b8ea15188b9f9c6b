package dev.towline.runtime.policy;

import com.google.protobuf.ByteString;
import dev.towline.runtime.identity.Fingerprints;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
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

  public EffectivePolicy {
    settings = Collections.unmodifiableSortedMap(new TreeMap<>(settings));
  }

  public EffectivePolicy(Map<String, String> settings) {
    this(new TreeMap<>(settings));
  }

  /** The files of a value of {@link #LOG_FILES}. */
  public static List<String> files(String value) {
    return value.equals(NO_FILES) ? List.of() : List.of(value.split(","));
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
