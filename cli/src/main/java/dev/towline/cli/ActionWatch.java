package dev.towline.cli;

import com.google.protobuf.ByteString;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.AdminClient;
import dev.towline.cli.output.Text;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.LiveOutput;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.TargetState;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Shows an action's output as it comes, each line after its host's name. What was shown is counted,
 * so that a watch that broke goes on where it was.
 */
final class ActionWatch {
  private static final int MAX_REWATCHES = 5;

  private final PrintStream out;
  private final PrintStream err;
  private final boolean showsOutput;
  private final Map<String, HostOutput> hosts = new HashMap<>();
  private final Set<String> reported = new HashSet<>();
  private int nameWidth;
  private boolean quiet;

  ActionWatch(CliContext context, boolean showsOutput) {
    this.out = context.out();
    this.err = context.err();
    this.showsOutput = showsOutput;
  }

  /** The bytes of one host that were shown, and the begun line. */
  private static final class HostOutput {
    private long seen;
    private final java.io.ByteArrayOutputStream line = new java.io.ByteArrayOutputStream();
  }

  /** Says nothing of single hosts: the caller does. */
  ActionWatch quiet() {
    quiet = true;
    return this;
  }

  /** Watches until every host has ended or the wait is over, and gives the action's last state. */
  Action follow(AdminClient client, Action action, @Nullable Duration wait) {
    var id = GetActionRequest.newBuilder().setAction(action.getId()).build();
    nameWidth =
        action.getTargetsList().stream().mapToInt(t -> t.getHostName().length()).max().orElse(0);
    long deadline = wait == null ? Long.MAX_VALUE : System.nanoTime() + wait.toNanos();
    int failures = 0;
    while (true) {
      try {
        var stub = client.actionWatches();
        if (wait != null) {
          stub = stub.withDeadlineAfter(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        }
        Iterator<ActionEvent> events = stub.watchAction(id);
        while (events.hasNext()) {
          ActionEvent event = events.next();
          failures = 0;
          switch (event.getEventCase()) {
            case OUTPUT -> live(event.getOutput());
            case TARGET -> target(event.getTarget());
            case ENDED -> {
              event.getEnded().getTargetsList().forEach(this::target);
              return event.getEnded();
            }
            case EVENT_NOT_SET -> {}
          }
        }
        Action now = client.actions().getAction(id);
        now.getTargetsList().forEach(this::target);
        return now;
      } catch (StatusRuntimeException e) {
        if (e.getStatus().getCode() == Status.Code.DEADLINE_EXCEEDED && wait != null) {
          return client.actions().getAction(id);
        }
        if (e.getStatus().getCode() != Status.Code.UNAVAILABLE || ++failures > MAX_REWATCHES) {
          throw e;
        }
        err.println("the watch broke, trying again");
      }
    }
  }

  /** One line for each host that did not simply succeed, and the exit code. */
  int summarize(Action action) {
    int succeeded = 0;
    List<String> unfinished = new ArrayList<>();
    for (ActionTarget target : action.getTargetsList()) {
      if (target.getState() == TargetState.TARGET_STATE_ENDED
          && target.getOutcome() == Outcome.OUTCOME_SUCCEEDED) {
        succeeded++;
      } else if (!isEnded(target)) {
        unfinished.add(Text.printable(target.getHostName()));
      }
    }
    int total = action.getTargetsCount();
    int failed = total - succeeded - unfinished.size();
    err.println(
        succeeded
            + " of "
            + Text.count(total, "host")
            + " succeeded"
            + (failed > 0 ? ", " + failed + " failed" : "")
            + (unfinished.isEmpty()
                ? ""
                : ", not ended: "
                    + String.join(", ", unfinished)
                    + " (towline actions show "
                    + action.getId()
                    + ")"));
    if (failed > 0) {
      return ExitCodes.FAILED;
    }
    return unfinished.isEmpty() ? ExitCodes.OK : ExitCodes.UNFINISHED;
  }

  private void live(LiveOutput live) {
    if (!showsOutput) {
      return;
    }
    HostOutput host = hosts.computeIfAbsent(live.getHostId(), _ -> new HostOutput());
    long skip = host.seen - live.getOffset();
    if (skip < 0) {
      // A part is missing; the whole comes with the result.
      return;
    }
    ByteString data = live.getData();
    if (skip < data.size()) {
      show(live.getHostName(), host, data.substring((int) skip));
    }
  }

  private void target(ActionTarget target) {
    if (!isEnded(target) || !reported.add(target.getHostId())) {
      return;
    }
    HostOutput host = hosts.computeIfAbsent(target.getHostId(), _ -> new HostOutput());
    if (showsOutput && host.seen < target.getOutput().size()) {
      show(target.getHostName(), host, target.getOutput().substring((int) host.seen));
    }
    if (host.line.size() > 0) {
      flush(target.getHostName(), host);
    }
    String ending = describe(target);
    if (!ending.isEmpty() && !quiet) {
      err.println(prefix(target.getHostName()) + ending);
    }
  }

  private void show(String name, HostOutput host, ByteString data) {
    host.seen += data.size();
    for (ByteString.ByteIterator bytes = data.iterator(); bytes.hasNext(); ) {
      byte b = bytes.nextByte();
      if (b == '\n') {
        flush(name, host);
      } else {
        host.line.write(b);
      }
    }
  }

  private void flush(String name, HostOutput host) {
    String line = host.line.toString(java.nio.charset.StandardCharsets.UTF_8);
    host.line.reset();
    out.println(prefix(name) + Text.printable(line.stripTrailing()));
  }

  private String prefix(String name) {
    var prefix = new StringBuilder(Text.printable(name));
    prefix.repeat(' ', Math.max(0, nameWidth - prefix.length()));
    return prefix.append(" | ").toString();
  }

  static boolean isEnded(ActionTarget target) {
    return switch (target.getState()) {
      case TARGET_STATE_ENDED, TARGET_STATE_REFUSED, TARGET_STATE_EXPIRED -> true;
      case TARGET_STATE_UNSPECIFIED,
          TARGET_STATE_PENDING,
          TARGET_STATE_DELIVERED,
          TARGET_STATE_ACCEPTED,
          TARGET_STATE_RUNNING,
          UNRECOGNIZED ->
          false;
    };
  }

  /** What became of it, empty when it simply succeeded. */
  static String describe(ActionTarget target) {
    String detail =
        target.getDetail().isEmpty() ? "" : " (" + Text.printable(target.getDetail()) + ")";
    String what =
        switch (target.getState()) {
          case TARGET_STATE_REFUSED -> "refused by the host";
          case TARGET_STATE_EXPIRED -> "expired before the host took it up";
          case TARGET_STATE_ENDED ->
              switch (target.getOutcome()) {
                case OUTCOME_SUCCEEDED -> "";
                case OUTCOME_FAILED ->
                    target.getExitStatus() == 0
                        ? "failed"
                        : "failed with exit status " + target.getExitStatus();
                default -> Text.label(target.getOutcome(), "OUTCOME_");
              };
          default -> Text.label(target.getState(), "TARGET_STATE_");
        };
    String truncated = target.getOutputTruncated() ? "output was cut at its limit" : "";
    if (what.isEmpty()) {
      return truncated;
    }
    return what + detail + (truncated.isEmpty() ? "" : ", " + truncated);
  }
}
