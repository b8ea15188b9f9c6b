package dev.towline.agent.firewall;

import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;

/**
 * Explains the packet filters of this host, and puts lost NAT rules back on explicit order (F5).
 */
public final class Doctor {
  private final Findings findings;
  private final NatRestore restore;

  /**
   * @param directory of the firewall, where its snapshots are
   */
  public Doctor(HostCommands commands, Path root, Path directory, InstantSource clock) {
    this.findings = new Findings(commands, root);
    this.restore = new NatRestore(commands, root, new FirewallFiles(directory).snapshots(), clock);
  }

  /** What was found. */
  public record Diagnosis(List<String> lines, boolean healthy) {
    public Diagnosis {
      lines = List.copyOf(lines);
    }
  }

  public Diagnosis look() throws IOException, InterruptedException {
    List<String> lines = new ArrayList<>();
    Findings.Report report = findings.read();
    report.switches().forEach((name, value) -> lines.add("forwarding: " + name + " = " + value));
    lines.add("NAT: %d rules".formatted(report.natRules()));
    for (Findings.Table table : report.tables()) {
      lines.add(
          "table %s: %d rules%s, owner: %s"
              .formatted(
                  table.name,
                  table.rules,
                  table.natRules > 0 ? ", " + table.natRules + " of them NAT" : "",
                  table.owner()));
    }
    lines.addAll(Findings.obstacles(report, 0));
    if (report.marker()) {
      lines.add(
          "/%s is there: it means nothing to Towline, which never touches rules of others"
              .formatted(Findings.MARKER));
    }
    List<String> snapshots = restore.list();
    snapshots.forEach(name -> lines.add("snapshot: " + name));
    if (report.hasLostNat()) {
      lines.add(
          "PROBLEM: forwarding is on and there is no NAT rule: hosts behind this one may be"
              + " cut off");
      lines.add(
          snapshots.isEmpty()
              ? "  try: load your NAT rules as at the last start of the host; Towline has no"
                  + " snapshot"
              : "  try: towline-agent doctor --restore SNAPSHOT, or load your NAT rules as at the"
                  + " last start of the host");
    }
    return new Diagnosis(lines, !report.hasLostNat());
  }

  public List<String> restore(String snapshot) throws IOException, InterruptedException {
    return restore.restore(snapshot);
  }
}
