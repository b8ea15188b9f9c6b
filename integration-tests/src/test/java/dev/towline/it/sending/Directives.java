package dev.towline.it.sending;

import dev.towline.cli.login.AdminClient;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.RunActionRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** Directives that do nothing, to see how long they take. */
final class Directives {
  private Directives() {}

  /** From ordering to the last result, one after another; the shortest first. */
  static List<Duration> roundTrips(AdminClient admin, String selector, int count) {
    List<Duration> took = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      long from = System.nanoTime();
      Action action =
          admin
              .actions()
              .runAction(RunActionRequest.newBuilder().setSelector(selector).setNoOp(true).build());
      Iterator<ActionEvent> events =
          admin
              .actionWatches()
              .watchAction(GetActionRequest.newBuilder().setAction(action.getId()).build());
      while (events.hasNext() && !events.next().hasEnded()) {
        // The end is what counts.
      }
      took.add(Duration.ofNanos(System.nanoTime() - from));
    }
    took.sort(null);
    return took;
  }
}
