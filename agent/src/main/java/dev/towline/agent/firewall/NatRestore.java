package dev.towline.agent.firewall;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Puts NAT rules back that a snapshot has and the host has lost (F5). On explicit order only, adds
 * only, and refuses where NAT rules are left: nobody can say which of them are meant.
 */
final class NatRestore {
  private static final Duration WATCH = Duration.ofSeconds(15);
  private static final Pattern PACKETS = Pattern.compile("(?:counter packets |^\\[)(\\d+)");
  private static final Pattern NFT_TABLE =
      Pattern.compile("(?ms)^table (\\S+) (\\S+) \\{.*?^\\}\n?");

  private final HostCommands commands;
  private final Path root;
  private final Path snapshots;
  private final InstantSource clock;

  NatRestore(HostCommands commands, Path root, Path snapshots, InstantSource clock) {
    this.commands = commands;
    this.root = root;
    this.snapshots = snapshots;
    this.clock = clock;
  }

  /** Names of the snapshots, oldest first, with whether they hold NAT rules. */
  List<String> list() throws IOException {
    List<String> names = new ArrayList<>();
    try (Stream<Path> all = Files.list(snapshots)) {
      for (Path snapshot : all.sorted().toList()) {
        int rules =
            Findings.tables(ForeignRules.load(snapshot).part(ForeignRules.NFT)).stream()
                .mapToInt(table -> table.natRules)
                .sum();
        names.add(snapshot.getFileName() + " (" + rules + " NAT rules)");
      }
    } catch (NoSuchFileException _) {
      return List.of();
    }
    return names;
  }

  /** Restores and returns what it did and saw, or throws with the reason why it did nothing. */
  List<String> restore(String name) throws IOException, InterruptedException {
    Path directory = snapshots.resolve(name);
    if (name.contains("/") || !Files.isDirectory(directory)) {
      throw new IOException("snapshot: '%s' (expected: one of %s)".formatted(name, list()));
    }
    ForeignRules snapshot = ForeignRules.load(directory);
    int left = new Findings(commands, root).read().natRules();
    if (left > 0) {
      throw new IOException(
          "%d NAT rules are there; nothing is restored beside them. Compare with %s"
              .formatted(left, directory));
    }
    List<String> lines = new ArrayList<>();
    for (Findings.Table table : Findings.tables(snapshot.part(ForeignRules.NFT))) {
      if (table.natRules > 0) {
        lines.add(restore(table.name, snapshot));
      }
    }
    for (String tool : ForeignRules.SAVED) {
      String saved = snapshot.part(tool);
      if (Findings.saved(tool, saved).stream().anyMatch(table -> table.natRules > 0)) {
        add(tool, saved);
        lines.add("restored NAT rules of " + tool);
      }
    }
    if (lines.isEmpty()) {
      throw new IOException("snapshot " + name + " holds no NAT rules");
    }
    for (String line : snapshot.part(ForeignRules.SYSCTL).lines().toList()) {
      Path file = root.resolve("proc/sys").resolve(line.split("=")[0]);
      if (line.endsWith("=1") && !Files.readString(file).strip().equals("1")) {
        Files.writeString(file, "1");
        lines.add("switched on " + line.split("=")[0]);
      }
    }
    int now = new Findings(commands, root).read().natRules();
    lines.add("read back: %d NAT rules".formatted(now));
    lines.add(watch());
    return lines;
  }

  private String restore(String table, ForeignRules snapshot)
      throws IOException, InterruptedException {
    String saved =
        switch (table) {
          case "ip nat" -> snapshot.part(ForeignRules.NAT_V4);
          case "ip6 nat" -> snapshot.part(ForeignRules.NAT_V6);
          default -> "";
        };
    if (saved.isEmpty()) {
      checked(table, commands.run(table(table, snapshot), List.of("nft", "-f", "-")));
    } else {
      add(table.startsWith("ip6") ? "ip6tables-nft" : "iptables-nft", saved);
    }
    return "restored table " + table;
  }

  private void add(String tool, String saved) throws IOException, InterruptedException {
    checked(tool, commands.run(saved, List.of(tool + "-restore", "--noflush", "-w", "-T", "nat")));
  }

  private static void checked(String what, HostCommands.Ended ended) throws IOException {
    if (!ended.ok()) {
      throw new IOException("%s can't be restored: %s".formatted(what, ended.err()));
    }
  }

  private static String table(String name, ForeignRules snapshot) {
    Matcher tables = NFT_TABLE.matcher(snapshot.part(ForeignRules.NFT));
    while (tables.find()) {
      if ((tables.group(1) + " " + tables.group(2)).equals(name)) {
        return tables.group();
      }
    }
    throw new IllegalStateException("table " + name + " is not in the snapshot");
  }

  /** A connection that is translated counts in a NAT rule: the proof that traffic passes again. */
  private String watch() throws IOException, InterruptedException {
    long before = translated();
    long end = clock.millis() + WATCH.toMillis();
    while (clock.millis() < end) {
      long now = translated();
      if (now > before) {
        return "traffic passes: %d connections translated since".formatted(now - before);
      }
      TimeUnit.MILLISECONDS.sleep(500);
    }
    return "no connection has been translated within %d s: try one from behind this host"
        .formatted(WATCH.toSeconds());
  }

  private long translated() throws IOException, InterruptedException {
    long count = 0;
    Path tracked = root.resolve("proc/net/nf_conntrack");
    if (Files.isReadable(tracked)) {
      try (Stream<String> lines = Files.lines(tracked)) {
        count = lines.filter(NatRestore::isTranslated).count();
      }
    }
    for (List<String> lister :
        List.of(
            List.of("nft", "list", "ruleset"),
            List.of("iptables-save", "-c", "-t", "nat"),
            List.of("iptables-legacy-save", "-c", "-t", "nat"))) {
      if (HostCommands.has(commands, lister.toArray(String[]::new))) {
        count += counted(commands.run("", lister).out());
      }
    }
    return count;
  }

  private static long counted(String rules) {
    return rules
        .lines()
        .filter(line -> line.matches(".*(masquerade|snat|dnat|MASQUERADE|SNAT|DNAT).*"))
        .map(PACKETS::matcher)
        .filter(Matcher::find)
        .mapToLong(packets -> Long.parseLong(packets.group(1)))
        .sum();
  }

  /** The way back of a translated connection is not the way there turned round. */
  private static boolean isTranslated(String line) {
    Matcher addresses = Pattern.compile("src=(\\S+) dst=(\\S+)").matcher(line);
    if (!addresses.find()) {
      return false;
    }
    String source = addresses.group(1);
    String destination = addresses.group(2);
    return addresses.find()
        && !(addresses.group(1).equals(destination) && addresses.group(2).equals(source));
  }
}
