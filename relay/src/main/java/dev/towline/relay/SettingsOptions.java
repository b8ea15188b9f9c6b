package dev.towline.relay;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that several commands share. */
final class SettingsOptions {
  private static final Path USUAL_CONFIG = Path.of("/etc/towline/relay.yaml");

  @Option(names = "--data", paramLabel = "DIR", description = "Directory of everything it keeps.")
  private @Nullable String data;

  @Option(
      names = "--enrollment",
      paramLabel = "FILE",
      description = "What an install command or a pairing left for the first start.")
  private @Nullable String enrollment;

  @Option(names = "--name", paramLabel = "NAME", description = "What this host shall be called.")
  private @Nullable String name;

  @Option(
      names = "--listen",
      paramLabel = "ADDRESS:PORT",
      description = "Child: where parents dial in.")
  private @Nullable String listen;

  @Option(
      names = "--loopback-port",
      paramLabel = "PORT",
      description = "Child: where this host's own traffic enters; loopback only.")
  private @Nullable String loopbackPort;

  @Option(
      names = "--downstream-listen",
      paramLabel = "ADDRESS",
      description = "Child: where hosts below connect.")
  private @Nullable String downstreamListen;

  @Option(names = "--session-port", paramLabel = "PORT", description = "Child: for sessions.")
  private @Nullable String sessionPort;

  @Option(names = "--public-port", paramLabel = "PORT", description = "Child: for downloads.")
  private @Nullable String publicPort;

  @Option(names = "--updates-port", paramLabel = "PORT", description = "Child: for updates.")
  private @Nullable String updatesPort;

  @Option(
      names = "--metrics",
      paramLabel = "ADDRESS:PORT",
      description = "Where Prometheus may ask; 'off' for nowhere.")
  private @Nullable String metrics;

  @Option(
      names = "--tls-profile",
      paramLabel = "PROFILE",
      description = "What it speaks: modern, strong, compatible or fips.")
  private @Nullable String tlsProfile;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description =
          "YAML file with settings (default: /etc/towline/relay.yaml, when there is one).")
  private @Nullable Path config;

  RelaySettings resolve() {
    Map<String, String> flags = new LinkedHashMap<>();
    put(flags, "data", data);
    put(flags, "enrollment", enrollment);
    put(flags, "name", name);
    put(flags, "listen", listen);
    put(flags, "loopback-port", loopbackPort);
    put(flags, "downstream-listen", downstreamListen);
    put(flags, "session-port", sessionPort);
    put(flags, "public-port", publicPort);
    put(flags, "updates-port", updatesPort);
    put(flags, "metrics", metrics);
    put(flags, "tls-profile", tlsProfile);
    return RelaySettings.resolve(flags, System.getenv(), file());
  }

  private Optional<Path> file() {
    return Optional.ofNullable(config)
        .or(() -> Optional.of(USUAL_CONFIG).filter(Files::isReadable));
  }

  private static void put(Map<String, String> flags, String key, @Nullable String value) {
    if (value != null) {
      flags.put(key, value);
    }
  }
}
