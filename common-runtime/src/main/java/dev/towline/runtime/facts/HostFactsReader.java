package dev.towline.runtime.facts;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads a Linux host's facts. What can't be read stays empty; nothing fails because of it.
 *
 * <p>Threading: stateless.
 */
public final class HostFactsReader {
  private static final String MACHINE_ID_CONTEXT = "towline machine id v1\0";

  private final Path root;
  private final String programVersion;

  /**
   * @param root of the file system; another than {@code /} in tests
   */
  public HostFactsReader(Path root, String programVersion) {
    this.root = root;
    this.programVersion = programVersion;
  }

  /**
   * The facts as they are now.
   *
   * @param name what the host shall be called; empty for its own name
   */
  public HostFacts read(String name) {
    Map<String, String> release = osRelease();
    return HostFacts.newBuilder()
        .setHostName(name.isEmpty() ? text("proc/sys/kernel/hostname") : name)
        .setOs("linux")
        .setOsVersion(release.getOrDefault("PRETTY_NAME", release.getOrDefault("ID", "")))
        .setArchitecture(System.getProperty("os.arch", ""))
        .setKernel(text("proc/sys/kernel/osrelease"))
        .setMachineId(machineId())
        .setBootId(bootId())
        .setProgramVersion(programVersion)
        .addAllAddresses(addresses())
        .setAssetKind(inContainer() ? "CONTAINER" : "HOST")
        .build();
  }

  /** Hashed, because the id itself is nobody else's business. */
  private String machineId() {
    String id = text("etc/machine-id");
    if (id.isEmpty()) {
      return "";
    }
    byte[] hashed = (MACHINE_ID_CONTEXT + id).getBytes(StandardCharsets.UTF_8);
    return HexFormat.of().formatHex(Fingerprints.sha256(hashed));
  }

  /** All containers of a machine share the boot of its kernel: theirs is named after them too. */
  private String bootId() {
    String kernel = text("proc/sys/kernel/random/boot_id");
    return ContainerId.read(root).map(id -> kernel + "/" + id.substring(0, 12)).orElse(kernel);
  }

  private boolean inContainer() {
    return Files.exists(root.resolve(".dockerenv"))
        || Files.exists(root.resolve("run/.containerenv"))
        || Files.exists(root.resolve("run/systemd/container"))
        || Stream.of("docker", "kubepods", "lxc", "containerd")
            .anyMatch(text("proc/1/cgroup")::contains);
  }

  private Map<String, String> osRelease() {
    return text("etc/os-release")
        .lines()
        .map(String::strip)
        .filter(line -> !line.startsWith("#") && line.indexOf('=') > 0)
        .collect(
            Collectors.toMap(
                line -> line.substring(0, line.indexOf('=')),
                line -> unquoted(line.substring(line.indexOf('=') + 1)),
                (first, _) -> first));
  }

  private static String unquoted(String value) {
    boolean quoted =
        value.length() >= 2
            && (value.charAt(0) == '"' || value.charAt(0) == '\'')
            && value.charAt(0) == value.charAt(value.length() - 1);
    return quoted ? value.substring(1, value.length() - 1) : value;
  }

  private static List<String> addresses() {
    var addresses = new TreeSet<String>();
    try {
      NetworkInterface.networkInterfaces()
          .flatMap(NetworkInterface::inetAddresses)
          .filter(address -> !address.isLoopbackAddress() && !address.isLinkLocalAddress())
          .map(InetAddress::getHostAddress)
          .forEach(addresses::add);
    } catch (SocketException _) {
      // A host that doesn't tell its addresses has none to tell.
    }
    return List.copyOf(addresses);
  }

  private String text(String file) {
    try {
      return Files.readString(root.resolve(file)).strip();
    } catch (IOException e) {
      return "";
    }
  }
}
