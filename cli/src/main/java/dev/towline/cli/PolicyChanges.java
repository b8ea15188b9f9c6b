package dev.towline.cli;

import dev.towline.cli.output.Table;
import dev.towline.cli.output.Text;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.SettingChange;
import java.io.PrintStream;
import java.util.List;

/** What a change of policies is, or would be. */
final class PolicyChanges {
  private PolicyChanges() {}

  static void print(PolicyChange change, PrintStream out, boolean only) {
    if (change.getLevelsCount() == 0 && change.getHostsChanged() == 0) {
      out.println(only ? "Nothing would change." : "Nothing changed.");
      return;
    }
    table(change.getLevelsList(), out);
    if (change.getHostsCount() > 0) {
      out.println();
      table(change.getHostsList(), out);
    }
    out.println();
    out.println(
        "%s %s on %s, of which %d %s told."
            .formatted(
                "Values",
                only ? "would change" : "changed",
                Text.count(change.getHostsChanged(), "host"),
                change.getHostsToTell(),
                only ? "would be" : "are"));
  }

  private static void table(List<SettingChange> changes, PrintStream out) {
    var table = new Table("WHERE", "SETTING", "BEFORE", "AFTER");
    for (SettingChange change : changes) {
      boolean whole = change.getSetting().isEmpty();
      table.row(
          change.getSubject(),
          change.getSetting(),
          value(change.getBefore(), whole),
          value(change.getAfter(), whole));
    }
    table.print(out);
  }

  private static String value(String value, boolean whole) {
    return value.isEmpty() ? whole ? "does not exist" : "inherited" : value;
  }
}
