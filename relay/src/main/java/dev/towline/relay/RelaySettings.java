package dev.towline.relay;

import dev.towline.relay.child.ChildSettings;
import dev.towline.runtime.config.SettingSources;
import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.relay.RelayTuning;
import dev.towline.runtime.tls.TlsProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * The relay's settings: from the command line, else the environment ({@code TOWLINE_RELAY_DATA}),
 * else the file, else what its pairing said, else what is built in. Those of {@link RelayTuning}
 * the manager may change, and its word counts more than all others. The child list is not among
 * them: the manager decides it.
 */
final class RelaySettings {
  private static final int METRICS_PORT = 9464;

  /** Key and built-in value, in the order in which they are shown. */
  private static final Map<String, String> BUILT_IN = builtIn();

  private final Map<String, SettingValue> values;

  private RelaySettings(Map<String, SettingValue> values) {
    this.values = values;
  }

  private static Map<String, String> builtIn() {
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
    return new RelaySettings(
        new SettingSources("relay", BUILT_IN.keySet(), environment, file).resolve(flags, BUILT_IN));
  }

  /** Takes what the pairing said where nobody on this host said otherwise. */
  RelaySettings paired(JsonNode settings) {
    Map<String, SettingValue> merged = new LinkedHashMap<>(values);
    values.forEach((key, setting) -> {
      String said = settings.path(key).asString("");
      if (setting.source().equals(SettingValue.DEFAULT) && !said.isEmpty()) {
        merged.put(key, new SettingValue(said, "pairing"));
      }
    });
    return new RelaySettings(merged);
  }

  /** The manager's word on settings that it may change; what is none is left out. */
  RelaySettings managed(Map<String, String> said) {
    Map<String, SettingValue> merged = new LinkedHashMap<>(values);
    said.forEach((key, value) -> {
      if (RelayTuning.of(key).filter(tuning -> tuning.accepts(value)).isPresent()) {
        merged.put(key, new SettingValue(value, "manager"));
      }
    });
    return new RelaySettings(merged);
  }

  Map<String, SettingValue> all() {
    return values;
  }

  String text(String key) {
    SettingValue setting = values.get(key);
    if (setting == null) {
      throw new IllegalArgumentException("setting: " + key + " is not one");
    }
    return setting.value();
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
        SettingSources.INVALID,
        "%s: '%s' (expected: %s)".formatted(key, text(key), expected),
        "correct it where 'towline-relay config show' says it comes from");
  }
}
