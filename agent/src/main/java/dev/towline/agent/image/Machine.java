package dev.towline.agent.image;

import dev.towline.runtime.facts.ContainerId;
import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * What tells a machine from a copy of its disk: the container, else the number that firmware or
 * hypervisor gave the machine, else its network interfaces. The machine id in /etc and the name are
 * on the disk, and a reboot changes the boot id; none of them is looked at.
 */
public final class Machine {
  private Machine() {}

  /**
   * @param root of the file system; another than {@code /} in tests
   * @return empty when there is nothing to tell it by
   */
  public static String mark(Path root) {
    Optional<String> container = ContainerId.read(root);
    if (container.isPresent()) {
      return "container " + container.get();
    }
    String uuid = text(root.resolve("sys/class/dmi/id/product_uuid"));
    if (!uuid.isEmpty()) {
      return "machine " + uuid;
    }
    var addresses = new TreeSet<String>();
    try (Stream<Path> interfaces = Files.list(root.resolve("sys/class/net"))) {
      interfaces
          .filter(each -> !each.getFileName().toString().equals("lo"))
          .map(each -> text(each.resolve("address")))
          .filter(address -> !address.isEmpty() && !address.equals("00:00:00:00:00:00"))
          .forEach(addresses::add);
    } catch (IOException e) {
      return "";
    }
    return addresses.isEmpty() ? "" : "interfaces " + String.join(" ", addresses);
  }

  /**
   * The mark as the manager gets it: the numbers themselves are nobody else's business.
   *
   * @return empty for an empty one
   */
  public static String hashed(String mark) {
    return mark.isEmpty()
        ? ""
        : HexFormat.of()
            .formatHex(
                Fingerprints.sha256(
                    ("towline hardware v1\0" + mark).getBytes(StandardCharsets.UTF_8)));
  }

  private static String text(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      return "";
    }
  }
}
