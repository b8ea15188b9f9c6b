package dev.towline.relay;

import dev.towline.relay.child.ChildSettings;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.relay.RelayTuning;
import dev.towline.runtime.tls.TlsProfile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * The relay's settings: from the command line, else the environment ({@code TOWLINE_RELAY_DATA}),
 * else the file, else what its pairing said, else what is built in. Those of {@link RelayTuning}
 * the manager may change, and its word counts more than all others. The child list is not among
 * them: the manager decides it.
 */
final class RelaySettings {
  static final ErrorCode INVALID = ErrorCode.user("CONFIGURATION_INVALID");

  private static final String PREFIX = "TOWLINE_RELAY_";
  private static final int METRICS_PORT = 9464;

  /** Key and built-in value, in the order in which they are shown. */
  private static final Map<String, String> DEFAULTS = defaults();

  private final Map<String, Origin> values;

  /** A value and where it came from. */
  record Origin(String value, String source) {
    /** The source without its place: default, file, manager and so on. */
    String kind() {
      return source.equals("command line") ? source : source.split(" ", 2)[0];
    }
  }

  private RelaySettings(Map<String, Origin> values) {
    this.values = values;
  }

  private static Map<String, String> defaults() {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("data", "/var/lib/towline/relay");
    all.put("enrollment", "");
    all.put("name", "");
    all.put("child", "false");
    all.put("listen", "0.0.0.0:" + ChildSettings.DEFAULT_PORT);
    all.put("loopback-port", String.valueOf(ChildSettings.DEFAULT_LOOPBACK_PORT));
    all.put("downstream", "");
    all.put("downstream-listen", "");
    all.put("session-port", "7443");
    all.put("public-port", "8443");
    all.put("manager-session", "");
    all.put("manager-public", "");
    all.put("updates", "");
    all.put("updates-port", "8080");
    all.put("tls-profile", TlsProfile.MODERN.label());
    all.put("metrics", "127.0.0.1:" + METRICS_PORT);
    for (RelayTuning tuning : RelayTuning.values()) {
      all.put(tuning.key(), String.valueOf(tuning.builtIn()));
    }
    return all;
  }

  /**
   * @param flags what was given on the command line
   * @throws TowlineException for what the file should not hold, all of it at once
   */
  static RelaySettings resolve(
      Map<String, String> flags, Map<String, String> environment, Optional<Path> file) {
    Map<String, String> fromFile = file.map(RelaySettings::read).orElse(Map.of());
    Map<String, Origin> values = new LinkedHashMap<>();
    DEFAULTS.forEach((key, builtIn) -> {
      String variable = PREFIX + key.replace('-', '_').toUpperCase(Locale.ROOT);
      Origin origin;
      if (flags.containsKey(key)) {
        origin = new Origin(flags.get(key), "command line");
      } else if (environment.containsKey(variable)) {
        origin = new Origin(environment.get(variable), "environment " + variable);
      } else if (fromFile.containsKey(key)) {
        origin = new Origin(fromFile.get(key), "file " + file.orElseThrow());
      } else {
        origin = new Origin(builtIn, "default");
      }
      values.put(key, origin);
    });
    return new RelaySettings(values);
  }

  /** Takes what the pairing said where nobody on this host said otherwise. */
  RelaySettings paired(JsonNode settings) {
    Map<String, Origin> merged = new LinkedHashMap<>(values);
    values.forEach((key, origin) -> {
      String said = settings.path(key).asString("");
      if (origin.source().equals("default") && !said.isEmpty()) {
        merged.put(key, new Origin(said, "pairing"));
      }
    });
    return new RelaySettings(merged);
  }

  /** The manager's word on settings that it may change; what is none is left out. */
  RelaySettings managed(Map<String, String> said) {
    Map<String, Origin> merged = new LinkedHashMap<>(values);
    said.forEach((key, value) -> {
      if (RelayTuning.of(key).filter(tuning -> tuning.accepts(value)).isPresent()) {
        merged.put(key, new Origin(value, "manager"));
      }
    });
    return new RelaySettings(merged);
  }

  Map<String, Origin> all() {
    return values;
  }

  String text(String key) {
    Origin origin = values.get(key);
    if (origin == null) {
      throw new IllegalArgumentException("setting: " + key + " is not one");
    }
    return origin.value();
  }

  boolean flag(String key) {
    return switch (text(key)) {
      case "true" -> true;
      case "false" -> false;
      default -> throw invalid(key, "true or false");
    };
  }

  int number(String key, int least, int most) {
    try {
      int number = Integer.parseInt(text(key));
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw invalid(key, least + " to " + most);
  }

  int tuned(RelayTuning tuning) {
    if (!tuning.accepts(text(tuning.key()))) {
      throw invalid(tuning.key(), tuning.range());
    }
    return Integer.parseInt(text(tuning.key()));
  }

  Duration millis(RelayTuning tuning) {
    return Duration.ofMillis(tuned(tuning));
  }

  int port(String key) {
    return number(key, 1, 65_535);
  }

  TlsProfile tlsProfile() {
    return TlsProfile.of(text("tls-profile"))
        .orElseThrow(() -> invalid("tls-profile", "one of " + TlsProfile.labels()));
  }

  TowlineException invalid(String key, String expected) {
    return new TowlineException(
        INVALID,
        "%s: '%s' (expected: %s)".formatted(key, text(key), expected),
        "correct it where 'towline-relay config show' says it comes from");
  }

  private static Map<String, String> read(Path file) {
    JsonNode root;
    try {
      root = YAMLMapper.builder().build().readTree(Files.readString(file));
    } catch (IOException | JacksonException e) {
      throw new TowlineException(
          INVALID,
          "configuration file can't be read: %s (%s)".formatted(file, e.getMessage()),
          "correct the file, or start without --config",
          e);
    }
    List<String> problems = new ArrayList<>();
    Map<String, String> found = new LinkedHashMap<>();
    for (String key : new TreeSet<>(root.propertyNames())) {
      if (DEFAULTS.containsKey(key)) {
        found.put(key, root.path(key).asString(""));
      } else {
        problems.add("unknown key: %s (expected: one of %s)".formatted(key, DEFAULTS.keySet()));
      }
    }
    if (!problems.isEmpty()) {
      throw new TowlineException(
          INVALID,
          "configuration file %s: %s".formatted(file, String.join("; ", problems)),
          "correct the file");
    }
    return found;
  }
}
