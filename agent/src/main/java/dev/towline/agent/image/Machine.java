package dev.towline.agent.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What tells a machine from a copy of its disk: the container, else the number that firmware or
 * hypervisor gave the machine, else its network interfaces. The machine id in /etc and the name are
 * on the disk, and a reboot changes the boot id; none of them is looked at.
 */
public final class Machine {
  private static final Pattern CONTAINER = Pattern.compile("containers/([0-9a-f]{64})/");

  private Machine() {}

  /**
   * @param root of the file system; another than {@code /} in tests
   * @return empty when there is nothing to tell it by
   */
  public static String mark(Path root) {
    Matcher container = CONTAINER.matcher(text(root.resolve("proc/self/mountinfo")));
    if (container.find()) {
      return "container " + container.group(1);
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

  private static String text(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      return "";
    }
  }
}
