package dev.towline.agent.firewall;

import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Everything on this host that decides about packets and is not ours (F4, F5): nftables, which
 * holds what iptables-nft writes too, the legacy tables, ipsets and the forwarding switches. Read
 * only; packet counters are left out.
 *
 * @param parts by name, as text
 */
public record ForeignRules(Map<String, String> parts) {
  /** All of nftables but our tables. */
  public static final String NFT = "ruleset.nft";

  /** The NAT table as iptables-nft writes it, for restoring. */
  public static final String NAT_V4 = "nat.iptables";

  public static final String NAT_V6 = "nat.ip6tables";
  public static final String SYSCTL = "sysctl";

  /** Parts that {@code iptables-save} and its like wrote, all tables of them. */
  static final List<String> SAVED =
      List.of("iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy");

  static final List<String> SWITCHES =
      List.of("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding");

  private static final Pattern OWN_TABLE =
      Pattern.compile("(?ms)^table (inet|arp|netdev) towline \\{.*?^\\}\n?");
  private static final Pattern COUNTERS = Pattern.compile("packets \\d+ bytes \\d+");
  private static final Pattern SAVED_COUNTERS = Pattern.compile("\\[\\d+:\\d+\\]");

  public ForeignRules {
    parts = Map.copyOf(parts);
  }

  /**
   * Reads them. Tools that the host lacks are left out, and legacy tables are asked only when the
   * kernel has some: asking would make them.
   */
  static ForeignRules read(HostCommands commands, Path root)
      throws IOException, InterruptedException {
    Map<String, String> parts = new LinkedHashMap<>();
    boolean hasNft = HostCommands.has(commands, "nft", "--version");
    parts.put(NFT, hasNft ? withoutCounters(nft(commands)) : "");
    var switches = new StringBuilder();
    for (String name : SWITCHES) {
      Path file = root.resolve("proc/sys").resolve(name);
      if (Files.isReadable(file)) {
        switches.append(name).append('=').append(Files.readString(file).strip()).append('\n');
      }
    }
    parts.put(SYSCTL, switches.toString());
    for (String version : List.of("", "6")) {
      String tool = "ip" + version + "tables";
      if (!hasNft) {
        put(parts, tool, commands, tool + "-save");
      } else if (parts.get(NFT).contains("table ip" + version + " ")) {
        put(parts, "nat." + tool, commands, tool + "-nft-save", "-t", "nat");
      }
      Path names = root.resolve("proc/net/ip" + version + "_tables_names");
      if (hasNft && Files.isReadable(names) && !Files.readString(names).isBlank()) {
        put(parts, tool + "-legacy", commands, tool + "-legacy-save");
      }
    }
    put(parts, "ipset", commands, "ipset", "save");
    return new ForeignRules(parts);
  }

  /** All of nftables but our tables, without counters. */
  static String nft(HostCommands commands) throws IOException, InterruptedException {
    HostCommands.Ended listed = commands.run("nft", "-s", "list", "ruleset");
    if (!listed.ok()) {
      throw new IOException("nft list ruleset: " + listed.err());
    }
    return OWN_TABLE.matcher(listed.out()).replaceAll("");
  }

  static ForeignRules load(Path directory) throws IOException {
    Map<String, String> parts = new LinkedHashMap<>();
    try (var files = Files.list(directory)) {
      for (Path file : files.toList()) {
        parts.put(file.getFileName().toString(), Files.readString(file));
      }
    }
    return new ForeignRules(parts);
  }

  void save(Path directory) throws IOException {
    Files.createDirectories(directory);
    for (var part : parts.entrySet()) {
      Files.writeString(directory.resolve(part.getKey()), part.getValue());
    }
  }

  String part(String name) {
    return parts.getOrDefault(name, "");
  }

  /** Names of the parts that are different. */
  List<String> differences(ForeignRules other) {
    List<String> different = new ArrayList<>();
    parts.keySet().stream()
        .filter(name -> !part(name).equals(other.part(name)))
        .forEach(different::add);
    other.parts.keySet().stream().filter(name -> !parts.containsKey(name)).forEach(different::add);
    return different.stream().sorted().toList();
  }

  String digest() {
    var text = new StringBuilder();
    parts.keySet().stream()
        .sorted()
        .forEach(name -> text.append(name).append('\n').append(part(name)).append('\0'));
    return digest(text.toString());
  }

  static String digest(String text) {
    return HexFormat.of().formatHex(Fingerprints.sha256(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static void put(
      Map<String, String> parts, String name, HostCommands commands, String... command)
      throws InterruptedException {
    try {
      HostCommands.Ended ended = commands.run(command);
      if (ended.ok()) {
        parts.put(name, withoutCounters(ended.out()));
      }
    } catch (IOException _) {
      // A tool that the host does not have has no rules.
      return;
    }
  }

  private static String withoutCounters(String text) {
    String plain = COUNTERS.matcher(text).replaceAll("packets 0 bytes 0");
    plain = SAVED_COUNTERS.matcher(plain).replaceAll("[0:0]");
    return plain
        .lines()
        .filter(line -> !line.startsWith("#") && !line.contains(IptablesFilter.MARK))
        .reduce(new StringBuilder(), (b, l) -> b.append(l).append('\n'), StringBuilder::append)
        .toString();
  }
}
