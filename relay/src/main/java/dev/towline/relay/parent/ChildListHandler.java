package dev.towline.relay.parent;

import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RelayChild;
import dev.towline.proto.v1.SetRelayChildren;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * Takes the child list from the manager: on the disk first, then in force (R2).
 *
 * <p>Threading: carried out on the executor, which must run one task at a time.
 */
public final class ChildListHandler implements DirectiveHandler {
  private final RelayParent parent;
  private final ChildListStore store;
  private final InstantSource clock;
  private final Executor executor;

  public ChildListHandler(
      RelayParent parent, ChildListStore store, InstantSource clock, Executor executor) {
    this.parent = parent;
    this.store = store;
    this.clock = clock;
    this.executor = executor;
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_SET_RELAY_CHILDREN;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    executor.execute(() -> carryOut(directive, progress));
  }

  private void carryOut(AcceptedDirective directive, Progress progress) {
    SetRelayChildren list = directive.content().getSetRelayChildren();
    List<RelayChild> children = list.getChildrenList();
    try {
      progress.started();
      if (list.getNoParent() && children.isEmpty()) {
        store.save(children);
        parent.noChildren();
        finished(progress, Outcome.OUTCOME_SUCCEEDED, "no parent any more");
        return;
      }
      RelayParent.check(children);
      store.save(children);
      parent.children(children);
      finished(progress, Outcome.OUTCOME_SUCCEEDED, children.size() + " children");
    } catch (IllegalArgumentException | IOException e) {
      finished(progress, Outcome.OUTCOME_FAILED, String.valueOf(e.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void finished(Progress progress, Outcome outcome, String detail) {
    progress.finished(DirectiveEnd.of(outcome, clock.instant(), detail));
  }
}
