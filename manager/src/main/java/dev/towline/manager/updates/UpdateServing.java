package dev.towline.manager.updates;

import dev.towline.manager.store.Store;
import java.util.function.UnaryOperator;

/**
 * How all managers of the fleet serve the tree, kept in the store.
 *
 * <p>Threading: safe for use by several threads; {@link #current} never waits. What another manager
 * set counts here from the next {@link #refresh} on.
 */
public final class UpdateServing {
  private static final String KEY = "updates.serving";

  private final Store store;
  private volatile Serving current = Serving.STANDARD;

  public UpdateServing(Store store) {
    this.store = store;
    refresh();
  }

  public Serving current() {
    return current;
  }

  /** To be called now and then. */
  public void refresh() {
    current = store.read(tx -> tx.fleet().value(KEY)).map(Serving::parse).orElse(Serving.STANDARD);
  }

  public Serving change(UnaryOperator<Serving> change) {
    Serving changed =
        store.commit(tx -> {
          Serving next =
              change.apply(tx.fleet().value(KEY).map(Serving::parse).orElse(Serving.STANDARD));
          tx.fleet().put(KEY, next.text());
          return next;
        });
    current = changed;
    return changed;
  }
}
