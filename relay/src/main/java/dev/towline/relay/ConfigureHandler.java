package dev.towline.relay;

import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import java.io.IOException;
import java.time.InstantSource;
import java.util.concurrent.Executor;

/**
 * Takes from the manager what this relay is, and its settings (R5, R7).
 *
 * <p>Threading: carried out on the executor, which must run one task at a time.
 */
final class ConfigureHandler implements DirectiveHandler {
  private final LiveRelay relay;
  private final InstantSource clock;
  private final Executor executor;

  ConfigureHandler(LiveRelay relay, InstantSource clock, Executor executor) {
    this.relay = relay;
    this.clock = clock;
    this.executor = executor;
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_CONFIGURE_RELAY;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    executor.execute(() -> carryOut(directive, progress));
  }

  private void carryOut(AcceptedDirective directive, Progress progress) {
    try {
      progress.started();
      String detail = relay.apply(directive.content().getConfigureRelay());
      finished(progress, Outcome.OUTCOME_SUCCEEDED, detail);
    } catch (IOException | TowlineException e) {
      finished(progress, Outcome.OUTCOME_FAILED, String.valueOf(e.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void finished(Progress progress, Outcome outcome, String detail) {
    progress.finished(DirectiveEnd.of(outcome, clock.instant(), detail));
  }
}
