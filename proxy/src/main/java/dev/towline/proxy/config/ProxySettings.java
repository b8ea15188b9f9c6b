package dev.towline.proxy.config;

import dev.towline.runtime.config.SettingSources;
import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;

/**
 * The values of all settings with their sources. A later source replaces an earlier one's value:
 * defaults, what enrollment brought, the file, the environment, the command line.
 */
public final class ProxySettings {
  private static final String LISTEN = "listen";
  private static final String PORT = "port";
  private static final String HTTP_PORTS = "http-ports";
  private static final String HTTPS_PORTS = "https-ports";
  private static final String SERVERS = "servers";
  private static final String MANAGER_PUBLIC = "manager-public";
  private static final String CONNECTIONS = "uplink-connections";
  private static final String MIRROR = "mirror-megabytes";
  private static final String UPDATES = "updates-megabytes";
  private static final String TLS_PROFILE = "tls-profile";
  private static final int MOST_PORTS = 65_535;
  private static final int MOST_CONNECTIONS = 4;
  private static final int MOST_MEGABYTES = 1 << 20;

  private final Map<String, Value> values = new LinkedHashMap<>();
  private final List<String> problems = new ArrayList<>();

  private record Value(List<String> texts, String source) {}

  public ProxySettings() {
    String source = SettingValue.DEFAULT;
    put(LISTEN, List.of("0.0.0.0"), source);
    put(PORT, List.of("443"), source);
    put(HTTP_PORTS, List.of("80", "8080"), source);
    put(HTTPS_PORTS, List.of("8443"), source);
    put(SERVERS, List.of(), source);
    put(MANAGER_PUBLIC, List.of(), source);
    put(CONNECTIONS, List.of("2"), source);
    put(MIRROR, List.of("1024"), source);
    put(UPDATES, List.of("10240"), source);
    put(TLS_PROFILE, List.of(TlsProfile.MODERN.label()), source);
  }

  /** Takes a source's values; a key nobody knows is a problem. */
  public ProxySettings with(Map<String, List<String>> given, String source) {
    given.forEach((key, texts) -> {
      if (values.containsKey(key)) {
        put(key, texts, source);
      } else {
        problems.add("%s: unknown key '%s' (known: %s)".formatted(source, key, values.keySet()));
      }
    });
    return this;
  }

  /** Takes {@code TOWLINE_PROXY_PORT} for {@code port} and so on; lists are separated by commas. */
  public ProxySettings withEnvironment(Map<String, String> environment) {
    for (String key : List.copyOf(values.keySet())) {
      String name = "TOWLINE_PROXY_" + key.toUpperCase(Locale.ROOT).replace('-', '_');
      String value = environment.get(name);
      if (value != null) {
        put(key, value.isEmpty() ? List.of() : List.of(value.split(",")), name);
      }
    }
    return this;
  }

  private void put(String key, List<String> texts, String source) {
    values.put(key, new Value(List.copyOf(texts), source));
  }

  /**
   * The settings, all problems told at once.
   *
   * @throws TowlineException when there are any
   */
  public ProxyConfig read() {
    List<String> found = new ArrayList<>(problems);
    String listen = one(LISTEN, found);
    int port = number(PORT, one(PORT, found), 1, MOST_PORTS, found);
    List<Integer> httpPorts = ports(HTTP_PORTS, found);
    List<Integer> httpsPorts = ports(HTTPS_PORTS, found);
    List<ServerAddress> servers = addresses(SERVERS, found);
    if (values(SERVERS).isEmpty()) {
      found.add("servers: none (expected: at least one host:port of a manager)");
    }
    List<ServerAddress> publics = addresses(MANAGER_PUBLIC, found);
    int connections = number(CONNECTIONS, one(CONNECTIONS, found), 1, MOST_CONNECTIONS, found);
    int mirror = number(MIRROR, one(MIRROR, found), 1, MOST_MEGABYTES, found);
    int updates = number(UPDATES, one(UPDATES, found), 1, MOST_MEGABYTES, found);
    String profileLabel = one(TLS_PROFILE, found);
    Optional<TlsProfile> profile = TlsProfile.of(profileLabel);
    if (profile.isEmpty()) {
      found.add(
          "%s: '%s' (expected: one of %s)"
              .formatted(TLS_PROFILE, profileLabel, TlsProfile.labels()));
    }
    if (!found.isEmpty()) {
      throw new TowlineException(
          SettingSources.INVALID, String.join("; ", found), "see 'towline-proxy config show'");
    }
    return new ProxyConfig(
        listen,
        port,
        httpPorts,
        httpsPorts,
        servers,
        publics,
        connections,
        mirror,
        updates,
        profile.orElse(TlsProfile.MODERN));
  }

  /** One line per setting: key, value, source. */
  public String show() {
    var lines = new StringJoiner("\n");
    values.forEach((key, value) ->
        lines.add(
            String.format(
                Locale.ROOT,
                "%-20s %-30s %s",
                key,
                String.join(",", value.texts()),
                value.source())));
    return lines.toString();
  }

  private List<String> values(String key) {
    Value value = values.get(key);
    return value == null ? List.of() : value.texts();
  }

  private String one(String key, List<String> found) {
    List<String> texts = values(key);
    if (texts.size() != 1 || texts.getFirst().isEmpty()) {
      found.add("%s: %s (expected: one value)".formatted(key, texts));
      return "";
    }
    return texts.getFirst();
  }

  private List<Integer> ports(String key, List<String> found) {
    List<Integer> ports = new ArrayList<>();
    for (String text : values(key)) {
      ports.add(number(key, text, 1, MOST_PORTS, found));
    }
    return ports;
  }

  private static int number(String key, String text, int least, int most, List<String> found) {
    try {
      int value = Integer.parseInt(text.strip());
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException _) {
      // Told below.
    }
    found.add("%s: '%s' (expected: a number from %d to %d)".formatted(key, text, least, most));
    return least;
  }

  private List<ServerAddress> addresses(String key, List<String> found) {
    List<ServerAddress> addresses = new ArrayList<>();
    for (String text : values(key)) {
      Optional<ServerAddress> address = ServerAddress.parse(text.strip());
      address.ifPresentOrElse(
          addresses::add, () -> found.add("%s: '%s' (expected: host:port)".formatted(key, text)));
    }
    return addresses;
  }
}
