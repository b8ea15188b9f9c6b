package dev.towline.manager;

import dev.towline.runtime.tls.TlsProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How a manager is to run.
 *
 * @param data directory of everything it keeps
 * @param listen address of all listeners
 * @param advertise host names and addresses under which others reach it; the first one stands in
 *     install commands
 * @param packages directory of the programs' packages, when it serves them
 * @param initialPasswordFile where the first administrator's password comes from, instead of being
 *     made and printed
 * @param database JDBC address of PostgreSQL; empty for the embedded database
 * @param tlsProfile what its listeners speak
 */
public record ManagerConfig(
    Path data,
    String listen,
    int sessionPort,
    int publicPort,
    int consolePort,
    int updatesPort,
    List<String> advertise,
    Optional<Path> packages,
    Optional<Path> initialPasswordFile,
    Duration heartbeatInterval,
    Optional<String> database,
    TlsProfile tlsProfile) {
  public ManagerConfig {
    advertise = List.copyOf(advertise);
  }
}
