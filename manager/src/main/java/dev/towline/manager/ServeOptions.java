package dev.towline.manager;

import dev.towline.runtime.tls.TlsProfile;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** How a manager is to run, as the command line, the environment or the file says. */
final class ServeOptions {
  static final String ANY_ADDRESS = "0.0.0.0";

  @Option(
      names = "--data",
      paramLabel = "DIR",
      defaultValue = "/var/lib/towline/manager",
      description = "Directory of everything it keeps.")
  private Path data = Path.of("");

  @Option(names = "--listen", defaultValue = ANY_ADDRESS, description = "Address to listen on.")
  private String listen = ANY_ADDRESS;

  @Option(names = "--session-port", defaultValue = "7443", description = "For agents and proxies.")
  private int sessionPort;

  @Option(names = "--public-port", defaultValue = "8443", description = "For install commands.")
  private int publicPort;

  @Option(names = "--console-port", defaultValue = "8444", description = "Console and admin API.")
  private int consolePort;

  @Option(names = "--updates-port", defaultValue = "8080", description = "Updates over plain HTTP.")
  private int updatesPort;

  @Option(
      names = "--advertise",
      split = ",",
      description = "Name or address under which hosts reach this manager; may be repeated.")
  private List<String> advertise = new ArrayList<>();

  @Option(names = "--packages", description = "Directory of the packages that it hands out.")
  private @Nullable Path packages;

  @Option(
      names = "--initial-password-file",
      description = "First start: takes the administrator's password from here.")
  private @Nullable Path initialPasswordFile;

  @Option(
      names = "--heartbeat-interval",
      defaultValue = "60s",
      converter = DurationConverter.class,
      description = "How often hosts give a sign of life.")
  private Duration heartbeatInterval = Duration.ofSeconds(60);

  @Option(names = "--database", description = "jdbc:postgresql://… instead of the embedded one.")
  private @Nullable String database;

  @Option(
      names = "--tls-profile",
      defaultValue = "modern",
      converter = ProfileConverter.class,
      description = "What its listeners speak: modern, strong, compatible or fips.")
  private TlsProfile tlsProfile = TlsProfile.MODERN;

  /** Read before the others, see {@link SettingsProvider}. */
  @SuppressWarnings("UnusedVariable")
  @Option(names = "--config", paramLabel = "FILE", description = "YAML file with settings.")
  private @Nullable Path configurationFile;

  ManagerConfig config() {
    return new ManagerConfig(
        data,
        listen,
        sessionPort,
        publicPort,
        consolePort,
        updatesPort,
        advertise.isEmpty() ? ownNames() : advertise,
        Optional.ofNullable(packages),
        Optional.ofNullable(initialPasswordFile),
        heartbeatInterval,
        Optional.ofNullable(database),
        tlsProfile);
  }

  private List<String> ownNames() {
    if (!listen.equals(ANY_ADDRESS)) {
      return List.of(listen);
    }
    try {
      return List.of(InetAddress.getLocalHost().getHostName());
    } catch (UnknownHostException e) {
      return List.of("localhost");
    }
  }

  static final class ProfileConverter implements ITypeConverter<TlsProfile> {
    @Override
    public TlsProfile convert(String value) {
      return TlsProfile.of(value)
          .orElseThrow(() ->
              new TypeConversionException(
                  "'" + value + "' is no TLS profile (expected: " + TlsProfile.labels() + ")"));
    }
  }

  /** Durations as people write them: {@code 500ms}, {@code 60s}, {@code 5m}, {@code 24h}. */
  static final class DurationConverter implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String value) {
      String number = value.replaceFirst("[a-z]+$", "");
      String unit = value.substring(number.length());
      try {
        long amount = Long.parseLong(number);
        Duration duration =
            switch (unit) {
              case "ms" -> Duration.ofMillis(amount);
              case "s" -> Duration.ofSeconds(amount);
              case "m" -> Duration.ofMinutes(amount);
              case "h" -> Duration.ofHours(amount);
              default -> Duration.ZERO;
            };
        if (duration.isPositive()) {
          return duration;
        }
      } catch (NumberFormatException e) {
        // said below
      }
      throw new TypeConversionException(
          "'" + value + "' is no duration (expected: for instance 60s or 5m)");
    }
  }
}
