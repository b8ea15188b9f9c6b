package dev.towline.proxy.control;

import dev.towline.proto.v1.ControlProxy;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.ExecutorService;

/**
 * Carries out the manager's orders to drain, to resume and to stop. A stop that would leave agents
 * without a proxy is refused, unless it is forced.
 *
 * <p>Threading: called on the session's thread; orders follow one another on a thread of their own.
 */
public final class ControlHandler implements DirectiveHandler {
  private static final Duration USUAL_LIMIT = Duration.ofSeconds(60);
  private static final Duration LONGEST_LIMIT = Duration.ofMinutes(15);

  private final Drainage drainage;
  private final InstantSource clock;
  private final ExecutorService worker;
  private final Runnable stop;

  /**
   * @param stop ends the program; called after the result is on its way
   */
  public ControlHandler(
      Drainage drainage, InstantSource clock, ExecutorService worker, Runnable stop) {
    this.drainage = drainage;
    this.clock = clock;
    this.worker = worker;
    this.stop = stop;
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_CONTROL_PROXY;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    ControlProxy order = directive.content().getControlProxy();
    worker.execute(() -> {
      try {
        progress.started();
        obey(order, progress);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        progress.finished(
            DirectiveEnd.of(Outcome.OUTCOME_INTERRUPTED, clock.instant(), "the proxy ended"));
      } catch (RuntimeException e) {
        progress.finished(
            DirectiveEnd.of(Outcome.OUTCOME_FAILED, clock.instant(), String.valueOf(e)));
      }
    });
  }

  private void obey(ControlProxy order, Progress progress) throws InterruptedException {
    Duration limit =
        order.getTimeLimitMs() > 0 ? Duration.ofMillis(order.getTimeLimitMs()) : USUAL_LIMIT;
    limit = limit.compareTo(LONGEST_LIMIT) > 0 ? LONGEST_LIMIT : limit;
    switch (order.getOrder()) {
      case DRAIN -> {
        int left = drainage.drain(limit);
        progress.finished(
            left == 0
                ? end(Outcome.OUTCOME_SUCCEEDED, "drained: no agent is left")
                : end(Outcome.OUTCOME_FAILED, remaining(left)));
      }
      case RESUME -> {
        drainage.resume();
        progress.finished(end(Outcome.OUTCOME_SUCCEEDED, "carries agents again"));
      }
      case STOP -> {
        int left = drainage.drain(limit);
        if (left > 0 && !order.getForce()) {
          drainage.resume();
          progress.finished(end(Outcome.OUTCOME_FAILED, remaining(left) + "; it goes on"));
        } else {
          progress.finished(
              end(Outcome.OUTCOME_SUCCEEDED, "stops; started again on its host only"));
          stop.run();
        }
      }
      case ORDER_UNSPECIFIED, UNRECOGNIZED ->
          progress.finished(
              end(Outcome.OUTCOME_UNSUPPORTED, "order: " + order.getOrder() + " is not known"));
    }
  }

  private static String remaining(int left) {
    return left + " agents found no other proxy and are still here";
  }

  private DirectiveEnd end(Outcome outcome, String detail) {
    return DirectiveEnd.of(outcome, clock.instant(), detail);
  }
}
