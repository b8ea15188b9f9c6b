package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.AdminClient;
import dev.towline.cli.output.Text;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.MovedClients;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.TargetState;
import dev.towline.proto.v1.UnmovedClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Follows hosts that move and names every one that did not. */
final class ProxyMoves {
  private static final String NO_ROUTE = "no route";

  private final CliContext context;

  ProxyMoves(CliContext context) {
    this.context = context;
  }

  /** Follows to the end; gives the names of those that are not where they should be. */
  int connected(AdminClient client, MovedClients moved, String cluster) {
    Action last = follow(client, moved);
    List<ActionTarget> stayed = failed(last);
    context.say(
        Text.count(last.getTargetsCount() - stayed.size(), "host")
            + " moved to proxy cluster "
            + cluster
            + ".");
    List<String> away = name(stayed, "stayed where it was");
    boolean all = true;
    for (UnmovedClient host : moved.getUnmovedList()) {
      context.err().println(Text.printable(host.getHostName()) + " | " + host.getReason());
      all &= host.getReason().startsWith("uses the cluster");
    }
    return away.isEmpty() && all ? ExitCodes.OK : ExitCodes.FAILED;
  }

  int disconnected(AdminClient client, MovedClients moved, String cluster, boolean strand) {
    Action last = follow(client, moved);
    List<ActionTarget> stayed = failed(last);
    List<ActionTarget> stranded =
        last.getTargetsList().stream()
            .filter(target -> target.getDetail().startsWith(NO_ROUTE))
            .toList();
    int gone = last.getTargetsCount() - stayed.size() - stranded.size();
    context.say(Text.count(gone, "client") + " of " + cluster + " went direct.");
    stranded.forEach(target ->
        context
            .err()
            .println(
                Text.printable(target.getHostName())
                    + " | disconnected, no route ("
                    + Text.printable(target.getDetail())
                    + ")"));
    List<String> left = name(stayed, "has no direct route and stays connected");
    for (UnmovedClient host : moved.getUnmovedList()) {
      context
          .err()
          .println(
              Text.printable(host.getHostName())
                  + " | "
                  + (strand ? "disconnected, no route: it " : "")
                  + host.getReason());
      if (!strand) {
        left.add(host.getHostName());
      }
    }
    if (left.isEmpty()) {
      return ExitCodes.OK;
    }
    context
        .err()
        .println(
            Text.count(left.size(), "client")
                + " would be lost. To leave them without a route all the same: towline proxies"
                + " disconnect "
                + cluster
                + " --strand");
    return ExitCodes.FAILED;
  }

  private Action follow(AdminClient client, MovedClients moved) {
    if (!moved.hasAction()) {
      return Action.getDefaultInstance();
    }
    context
        .err()
        .println(
            "action "
                + moved.getAction().getId()
                + " on "
                + Text.count(moved.getAction().getTargetsCount(), "host"));
    return new ActionWatch(context, false).quiet().follow(client, moved.getAction(), null);
  }

  private List<String> name(List<ActionTarget> targets, String what) {
    List<String> names = new ArrayList<>();
    for (ActionTarget target : targets) {
      names.add(target.getHostName());
      context
          .err()
          .println(
              Text.printable(target.getHostName())
                  + " | "
                  + what
                  + (target.getDetail().isEmpty()
                      ? ""
                      : " (" + Text.printable(target.getDetail()) + ")"));
    }
    return names;
  }

  private static List<ActionTarget> failed(Action action) {
    return action.getTargetsList().stream()
        .filter(target ->
            target.getState() != TargetState.TARGET_STATE_ENDED
                || target.getOutcome() != Outcome.OUTCOME_SUCCEEDED)
        .toList();
  }

  /** Follows an order to one proxy and says how it ended. */
  int ordered(AdminClient client, Action action, Duration wait) {
    Action last = new ActionWatch(context, false).quiet().follow(client, action, wait);
    ActionTarget target = last.getTargets(0);
    boolean done =
        target.getState() == TargetState.TARGET_STATE_ENDED
            && target.getOutcome() == Outcome.OUTCOME_SUCCEEDED;
    String line =
        "Proxy "
            + target.getHostName()
            + ": "
            + (target.getDetail().isEmpty()
                ? Text.label(target.getState(), "TARGET_STATE_")
                : target.getDetail());
    (done ? context.out() : context.err()).println(Text.printable(line));
    return done ? ExitCodes.OK : ExitCodes.FAILED;
  }
}
