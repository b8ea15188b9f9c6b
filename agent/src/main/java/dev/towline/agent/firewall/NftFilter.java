package dev.towline.agent.firewall;

import dev.towline.runtime.firewall.FirewallRules;
import dev.towline.runtime.firewall.NftText;
import dev.towline.runtime.firewall.NftText.Family;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Tables of our own, made anew in one transaction of {@code nft}. */
final class NftFilter implements Filter {
  private final HostCommands commands;
  private final Path root;

  NftFilter(HostCommands commands, Path root) {
    this.commands = commands;
    this.root = root;
  }

  @Override
  public Kind kind() {
    return Kind.NFT;
  }

  @Override
  public Optional<String> refuses(FirewallRules rules) throws IOException, InterruptedException {
    HostCommands.Ended checked =
        commands.run(text(Optional.of(rules), Optional.empty()), List.of("nft", "-c", "-f", "-"));
    return checked.ok()
        ? Optional.empty()
        : Optional.of("nft does not take these rules: " + checked.err());
  }

  @Override
  public String text(Optional<FirewallRules> rules, Optional<FirewallRules> meanwhile)
      throws IOException, InterruptedException {
    EnumSet<Family> present = present();
    meanwhile.ifPresent(set -> present.addAll(NftText.families(set)));
    return rules.isEmpty() ? NftText.off(present) : NftText.of(rules.get(), devices(), present);
  }

  @Override
  public String own() throws IOException, InterruptedException {
    var text = new StringBuilder();
    for (Family family : present()) {
      String[] table = family.table().split(" ");
      text.append(commands.run("nft", "-s", "list", "table", table[0], table[1]).out());
    }
    return text.length() == 0 ? "none" : ForeignRules.digest(text.toString());
  }

  /** Families that have a table of ours. */
  private EnumSet<Family> present() throws IOException, InterruptedException {
    HostCommands.Ended listed = commands.run("nft", "list", "tables");
    if (!listed.ok()) {
      throw new IOException("nft list tables: " + listed.err());
    }
    EnumSet<Family> present = EnumSet.noneOf(Family.class);
    for (Family family : Family.values()) {
      if (listed.out().lines().anyMatch(line -> line.equals("table " + family.table()))) {
        present.add(family);
      }
    }
    return present;
  }

  private List<String> devices() throws IOException {
    try (Stream<Path> devices = Files.list(root.resolve("sys/class/net"))) {
      return devices
          .map(device -> device.getFileName().toString())
          .filter(name -> !name.equals("lo") && name.matches("[A-Za-z0-9._@-]+"))
          .sorted()
          .toList();
    }
  }
}
