package dev.towline.agent.firewall;

import dev.towline.runtime.firewall.FirewallRules;
import dev.towline.runtime.firewall.IptablesText;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Chains of our own in the filter table, for hosts without {@code nft}. Their content is replaced
 * in one transaction for each family; one rule in each of INPUT and OUTPUT leads there.
 */
final class IptablesFilter implements Filter {
  /** The mark of what is ours in what others own too. */
  static final String MARK = "TOWLINE-";

  private static final String LEAD =
      """
      lead() {
        for chain in INPUT OUTPUT; do
          "$1" -w -C "$chain" -j TOWLINE-"$chain" 2>/dev/null || "$1" -w -I "$chain" 1 -j TOWLINE-"$chain" || exit 1
        done
      }
      """;
  private static final String OFF =
      """
      for chain in INPUT OUTPUT; do
        while %1$s -w -D "$chain" -j TOWLINE-"$chain" 2>/dev/null; do :; done
        ! %1$s -w -S TOWLINE-"$chain" >/dev/null 2>&1 \\
          || { %1$s -w -F TOWLINE-"$chain" && %1$s -w -X TOWLINE-"$chain"; } || exit 1
      done
      """;

  private final HostCommands commands;

  IptablesFilter(HostCommands commands) {
    this.commands = commands;
  }

  @Override
  public Kind kind() {
    return Kind.SHELL;
  }

  @Override
  public Optional<String> refuses(FirewallRules rules) throws IOException, InterruptedException {
    List<String> reasons = IptablesText.refused(rules);
    if (!reasons.isEmpty()) {
      return Optional.of(String.join("; ", reasons));
    }
    for (String tool : tools()) {
      HostCommands.Ended checked =
          commands.run(
              IptablesText.of(rules, isV6(tool)),
              List.of(tool + "-restore", "--test", "--noflush", "-w"));
      if (!checked.ok()) {
        return Optional.of(tool + " does not take these rules: " + checked.err());
      }
    }
    return Optional.empty();
  }

  @Override
  public String text(Optional<FirewallRules> rules, Optional<FirewallRules> meanwhile)
      throws IOException, InterruptedException {
    var text = new StringBuilder();
    if (rules.isEmpty()) {
      tools().forEach(tool -> text.append(OFF.formatted(tool)));
      return text.toString();
    }
    text.append(LEAD);
    for (String tool : tools()) {
      text.append(tool)
          .append("-restore --noflush -w <<'END' || exit 1\n")
          .append(IptablesText.of(rules.get(), isV6(tool)))
          .append("END\nlead ")
          .append(tool)
          .append('\n');
    }
    return text.toString();
  }

  @Override
  public String own() throws IOException, InterruptedException {
    var text = new StringBuilder();
    for (String tool : tools()) {
      commands
          .run(tool + "-save", "-t", "filter")
          .out()
          .lines()
          .filter(line -> line.contains(MARK))
          .map(line -> line.replaceAll("\\[\\d+:\\d+\\]", ""))
          .forEach(line -> text.append(tool).append(' ').append(line).append('\n'));
    }
    return text.length() == 0 ? "none" : ForeignRules.digest(text.toString());
  }

  /** A kernel without IPv6 has no such tables. */
  private List<String> tools() throws InterruptedException {
    List<String> tools = new ArrayList<>(List.of("iptables"));
    if (HostCommands.has(commands, "ip6tables", "-w", "-S", "INPUT")) {
      tools.add("ip6tables");
    }
    return tools;
  }

  private static boolean isV6(String tool) {
    return tool.startsWith("ip6");
  }
}
