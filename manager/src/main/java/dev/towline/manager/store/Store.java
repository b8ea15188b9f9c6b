package dev.towline.manager.store;

import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Everything the manager keeps.
 *
 * <p>Lifecycle: opened by {@code SqliteDatabase} or {@code PostgresDatabase}, which migrate it;
 * {@link #close} commits what was submitted before.
 *
 * <p>Threading: safe for use by several threads. Works are run one after another by one writer and
 * committed in groups, so a work may run more than once: it must only touch its {@link Tx}, and
 * must not wait for anything.
 *
 * <p>Failure: a work that throws changes nothing and fails alone. A future completes after its data
 * is on disk.
 */
public interface Store extends AutoCloseable {
  <T> T read(Function<Tx, T> query);

  <T> CompletableFuture<T> write(Function<Tx, T> work);

  /** Like {@link #write}, and waits; a failure of the work is thrown as it is. */
  <T> T commit(Function<Tx, T> work);

  @Override
  void close();
}
