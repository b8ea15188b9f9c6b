package dev.towline.agent.firewall;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What others decide about packets on this host, and what is wrong with it (F4, F5). Reads only.
 */
final class Findings {
  /** The seed product's switch; without any meaning here (F5). */
  static final String MARKER = "etc/use_dsa_with_iptables";

  private static final Pattern TABLE = Pattern.compile("table (\\S+) (\\S+) \\{");
  private static final Pattern CHAIN = Pattern.compile("\\s+chain (\\S+) \\{");
  private static final Pattern HOOK =
      Pattern.compile("\\s+type (\\S+) hook (\\S+) .*?priority [^;]+;(?: policy (\\w+);)?.*");

  /** By what their tables and chains are called, in the order in which they are named. */
  private static final Map<String, Pattern> OWNERS = new LinkedHashMap<>();

  static {
    OWNERS.put("firewalld", Pattern.compile("firewalld"));
    OWNERS.put("ufw", Pattern.compile("ufw6?-"));
    OWNERS.put("Docker", Pattern.compile("docker"));
    OWNERS.put("fail2ban", Pattern.compile("f2b|fail2ban"));
    OWNERS.put("Kubernetes", Pattern.compile("kube-"));
  }

  private final HostCommands commands;
  private final Path root;

  Findings(HostCommands commands, Path root) {
    this.commands = commands;
    this.root = root;
  }

  /** One table of somebody else. */
  static final class Table {
    final String name;
    int rules;
    int natRules;
    boolean hasNat;

    /** Chains at the input hook that drop by policy or by rule; rules of other chains count too. */
    final List<String> dropsInput = new ArrayList<>();

    private boolean hooksInput;
    private int drops;
    private final List<String> chains = new ArrayList<>();

    Table(String name) {
      this.name = name;
    }

    /** One table may hold rules of several, as the filter table of iptables does. */
    List<String> owners() {
      String all = (name + " " + String.join(" ", chains)).toLowerCase(Locale.ROOT);
      return OWNERS.entrySet().stream()
          .filter(owner -> owner.getValue().matcher(all).find())
          .map(Map.Entry::getKey)
          .toList();
    }

    String owner() {
      return owners().isEmpty() ? "not known" : String.join(" and ", owners());
    }
  }

  /** What stands out. */
  record Report(List<Table> tables, Map<String, String> switches, boolean marker, int natRules) {
    boolean isForwarding() {
      return switches.containsValue("1");
    }

    /** The seed's case: a gateway whose NAT rules are gone (F5). */
    boolean hasLostNat() {
      return isForwarding() && natRules == 0;
    }
  }

  Report read() throws IOException, InterruptedException {
    ForeignRules foreign = ForeignRules.read(commands, root);
    List<Table> tables = tables(foreign.part(ForeignRules.NFT));
    ForeignRules.SAVED.forEach(tool -> tables.addAll(saved(tool, foreign.part(tool))));
    int nat = tables.stream().mapToInt(table -> table.natRules).sum();
    Map<String, String> switches = new LinkedHashMap<>();
    foreign
        .part(ForeignRules.SYSCTL)
        .lines()
        .map(line -> line.split("="))
        .forEach(pair -> switches.put(pair[0], pair[1]));
    return new Report(tables, switches, Files.exists(root.resolve(MARKER)), nat);
  }

  /** Says what another table may drop, and with which command it is opened (F1). */
  static List<String> obstacles(Report report, int port) {
    List<String> lines = new ArrayList<>();
    String wanted = port == 0 ? "PORT" : String.valueOf(port);
    for (Table table : report.tables()) {
      if (table.dropsInput.isEmpty()) {
        continue;
      }
      List<String> commands = new ArrayList<>();
      if (table.owners().contains("ufw")) {
        commands.add("ufw allow %s/tcp".formatted(wanted));
      }
      if (table.owners().contains("firewalld")) {
        commands.add(
            "firewall-cmd --permanent --add-port=%s/tcp && firewall-cmd --reload"
                .formatted(wanted));
      }
      String open = commands.isEmpty() ? "ask whoever made it" : String.join(", ", commands);
      lines.add(
          "table %s (owner: %s) may drop what Towline lets pass: %s; to open a port there: %s"
              .formatted(table.name, table.owner(), String.join(", ", table.dropsInput), open));
    }
    return lines;
  }

  static List<Table> tables(String ruleset) {
    List<Table> tables = new ArrayList<>();
    String chain = "";
    boolean isNat = false;
    int depth = 0;
    for (String line : ruleset.lines().toList()) {
      Matcher table = TABLE.matcher(line);
      Matcher inChain = CHAIN.matcher(line);
      Matcher hook = HOOK.matcher(line);
      if (table.matches()) {
        tables.add(new Table(table.group(1) + " " + table.group(2)));
        depth = 1;
      } else if (tables.isEmpty()) {
        continue;
      } else if (inChain.matches()) {
        chain = inChain.group(1);
        tables.getLast().chains.add(chain);
        isNat = false;
        depth = 2;
      } else if (hook.matches() && depth == 2) {
        isNat = hook.group(1).equals("nat");
        tables.getLast().hasNat |= isNat;
        if (hook.group(2).equals("input") && !isNat) {
          tables.getLast().hooksInput = true;
          if ("drop".equals(hook.group(3))) {
            tables.getLast().dropsInput.add("chain " + chain + " drops by policy");
          }
        }
      } else if (line.strip().equals("}")) {
        chain = depth == 2 ? "" : chain;
        depth--;
      } else if (!chain.isEmpty() && !line.isBlank()) {
        Table last = tables.getLast();
        last.rules++;
        // A chain that NAT rules jump to has no hook of its own.
        if (isNat
            || line.matches(
                ".*\\b(masquerade|snat|dnat|redirect)\\b.*|.*xt target"
                    + " \"[A-Z]*(NAT|MASQUERADE|REDIRECT)\".*")) {
          last.natRules++;
        }
        if (line.matches(".*\\b(drop|reject)\\b.*")) {
          last.drops++;
        }
      }
    }
    tables.forEach(Findings::countDrops);
    return tables;
  }

  /** Tables as {@code iptables-save} writes them. */
  static List<Table> saved(String tool, String text) {
    List<Table> tables = new ArrayList<>();
    for (String line : text.lines().toList()) {
      if (line.startsWith("*")) {
        tables.add(new Table(tool + " " + line.substring(1)));
        tables.getLast().hasNat = line.equals("*nat");
        tables.getLast().hooksInput = line.equals("*filter");
      } else if (tables.isEmpty()) {
        continue;
      } else if (line.startsWith(":")) {
        tables.getLast().chains.add(line.split("[: ]")[1]);
        if (line.startsWith(":INPUT DROP") && tables.getLast().hooksInput) {
          tables.getLast().dropsInput.add("chain INPUT drops by policy");
        }
      } else if (line.startsWith("-A ")) {
        Table last = tables.getLast();
        last.rules++;
        last.natRules += last.hasNat ? 1 : 0;
        last.drops += line.matches(".* -j (DROP|REJECT)\\b.*") ? 1 : 0;
      }
    }
    tables.forEach(Findings::countDrops);
    return tables;
  }

  private static void countDrops(Table table) {
    if (table.hooksInput && table.drops > 0) {
      table.dropsInput.add(table.drops + " rules drop or reject");
    }
  }
}
