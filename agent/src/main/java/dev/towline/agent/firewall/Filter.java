package dev.towline.agent.firewall;

import dev.towline.runtime.firewall.FirewallRules;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** How rules get into this host's kernel. Names nothing but what is Towline's. */
sealed interface Filter permits NftFilter, IptablesFilter {
  /** What {@code nft} reads or a shell runs; the guard tells them apart by the name of the file. */
  enum Kind {
    NFT("nft", List.of("nft", "-f", "-")),
    SHELL("sh", List.of("sh", "-s"));

    private final String suffix;
    private final List<String> loader;

    Kind(String suffix, List<String> loader) {
      this.suffix = suffix;
      this.loader = loader;
    }

    String suffix() {
      return suffix;
    }

    /** Reads the text from its standard input. */
    List<String> loader() {
      return loader;
    }
  }

  /** nft where the host has it, else iptables. */
  static Filter of(HostCommands commands, Path root) throws IOException, InterruptedException {
    if (HostCommands.has(commands, "nft", "--version")) {
      return new NftFilter(commands, root);
    }
    if (HostCommands.has(commands, "iptables", "--version")) {
      return new IptablesFilter(commands);
    }
    throw new IOException("neither nft nor iptables is on this host; install nftables");
  }

  Kind kind();

  /** Why this host can't do these rules; empty when it can. */
  Optional<String> refuses(FirewallRules rules) throws IOException, InterruptedException;

  /**
   * What makes a rule set the only one of ours.
   *
   * @param rules empty: none of ours are left
   * @param meanwhile what may be there by then, besides what is there now
   */
  String text(Optional<FirewallRules> rules, Optional<FirewallRules> meanwhile)
      throws IOException, InterruptedException;

  /** Digest of ours as they are; another one means that somebody touched them. */
  String own() throws IOException, InterruptedException;
}
