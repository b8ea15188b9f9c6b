package dev.towline.runtime.policy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a policy says about updates (U3).
 *
 * @param components where each component's files are to be, by name
 * @param sources in the order in which they are asked
 * @param root SHA-256 of the first root of the repository; empty: nothing is believed
 * @param interval between two looks
 * @param window within which a look begins, at a time of the host's own
 * @param bandwidth bytes per second; 0 for no limit
 * @param least bytes per second below which the next source is asked
 */
public record UpdatePolicy(
    Map<String, String> components,
    List<String> sources,
    String user,
    String password,
    String root,
    Duration interval,
    Duration window,
    long bandwidth,
    long least) {
  /** Pairs NAME=DIRECTORY with commas between them. */
  public static final String COMPONENTS = "updates.components";

  public static final String SOURCE = "updates.source";
  public static final String USER = "updates.user";
  public static final String PASSWORD = "updates.password";
  public static final String INSTALL_SOURCE = "updates.install-source";
  public static final String FURTHER_SOURCES = "updates.further-sources";
  public static final String ROOT = "updates.root";
  public static final String INTERVAL = "updates.interval";
  public static final String WINDOW = "updates.window";
  public static final String BANDWIDTH = "updates.bandwidth";
  public static final String MINIMUM_RATE = "updates.minimum-rate";

  /** In place of a value. */
  public static final String NONE = "none";

  /** In place of a secret where people see it; given as a value it changes nothing. */
  public static final String HIDDEN = "(hidden)";

  public static final Duration STANDARD_INTERVAL = Duration.ofHours(1);
  public static final Duration STANDARD_WINDOW = Duration.ofMinutes(5);
  public static final int STANDARD_MINIMUM_KBIT = 8;

  private static final String UNLIMITED = "unlimited";
  private static final long BYTES_PER_KBIT = 125;

  public UpdatePolicy {
    components = Collections.unmodifiableMap(new LinkedHashMap<>(components));
    sources = List.copyOf(sources);
  }

  /** Whether nobody is to see the value of this setting. */
  public static boolean isSecret(String setting) {
    return setting.equals(PASSWORD);
  }

  public static UpdatePolicy of(EffectivePolicy policy) {
    Map<String, String> settings = policy.settings();
    List<String> sources = new ArrayList<>();
    add(sources, settings.getOrDefault(SOURCE, NONE));
    for (String further : settings.getOrDefault(FURTHER_SOURCES, NONE).split(",")) {
      add(sources, further);
    }
    return new UpdatePolicy(
        components(settings.getOrDefault(COMPONENTS, NONE)),
        sources,
        settings.getOrDefault(USER, ""),
        settings.getOrDefault(PASSWORD, ""),
        settings.getOrDefault(ROOT, ""),
        duration(settings.get(INTERVAL), STANDARD_INTERVAL),
        duration(settings.get(WINDOW), STANDARD_WINDOW),
        rate(settings.getOrDefault(BANDWIDTH, UNLIMITED)),
        rate(settings.getOrDefault(MINIMUM_RATE, Integer.toString(STANDARD_MINIMUM_KBIT))));
  }

  /** The pairs of a value of {@link #COMPONENTS}. */
  public static Map<String, String> components(String value) {
    Map<String, String> components = new LinkedHashMap<>();
    if (!value.equals(NONE)) {
      for (String pair : value.split(",")) {
        int equals = pair.indexOf('=');
        if (equals > 0) {
          components.put(pair.substring(0, equals), pair.substring(equals + 1));
        }
      }
    }
    return components;
  }

  private static void add(List<String> sources, String source) {
    if (!source.isEmpty() && !source.equals(NONE) && !sources.contains(source)) {
      sources.add(source);
    }
  }

  private static Duration duration(@Nullable String text, Duration other) {
    return Optional.ofNullable(text).flatMap(SettingDuration::parse).orElse(other);
  }

  private static long rate(String kilobits) {
    return kilobits.equals(UNLIMITED) ? 0 : Long.parseLong(kilobits) * BYTES_PER_KBIT;
  }
}
