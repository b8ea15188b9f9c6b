package dev.towline.manager.store.sql;

import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The store over JDBC, the same text for every database.
 *
 * <p>Lifecycle: {@link #start} begins writing; {@link #close} commits what is queued, then closes
 * what it was opened with.
 *
 * <p>Threading: one writer thread takes whatever is queued, up to {@value #LARGEST_GROUP} works,
 * and commits it as one transaction (group commit): the more wait for the disk, the less each
 * waits. Futures complete on the writer thread, so what follows must use the {@code …Async}
 * methods.
 *
 * <p>Failure: when a work of a group throws, the group is rolled back and each work is run in a
 * transaction of its own, so that only the bad one fails.
 */
public final class SqlStore implements Store {
  public static final ErrorCode STORE_CLOSED = ErrorCode.external("STORE_CLOSED");

  private static final Logger log = LoggerFactory.getLogger(SqlStore.class);
  private static final int LARGEST_GROUP = 500;

  private final Jdbi writing;
  private final Jdbi reading;
  private final Runnable onClose;
  private final BlockingQueue<Work<?>> queue = new LinkedBlockingQueue<>();
  private final Thread writer = Thread.ofPlatform().name("store-writer").unstarted(this::run);
  private final Object gate = new Object();
  private boolean closed;

  public SqlStore(Jdbi writing, Jdbi reading, Runnable onClose) {
    this.writing = writing;
    this.reading = reading;
    this.onClose = onClose;
  }

  public SqlStore start() {
    writer.start();
    return this;
  }

  @Override
  public <T> T read(Function<Tx, T> query) {
    return reading.withHandle(handle -> query.apply(new SqlTx(handle)));
  }

  @Override
  public <T> CompletableFuture<T> write(Function<Tx, T> work) {
    Work<T> queued = new Work<>(work);
    synchronized (gate) {
      if (closed) {
        queued.future.completeExceptionally(
            new TowlineException(STORE_CLOSED, "the store is closed", "start the manager again"));
      } else {
        queue.add(queued);
      }
    }
    return queued.future;
  }

  @Override
  public <T> T commit(Function<Tx, T> work) {
    try {
      return write(work).join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }

  @Override
  public void close() {
    synchronized (gate) {
      if (closed) {
        return;
      }
      closed = true;
      queue.add(new Work<>(null));
    }
    if (writer.isAlive()) {
      try {
        writer.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    onClose.run();
  }

  private void run() {
    List<Work<?>> group = new ArrayList<>();
    boolean last = false;
    while (!last) {
      group.clear();
      try {
        group.add(queue.take());
      } catch (InterruptedException e) {
        continue;
      }
      queue.drainTo(group, LARGEST_GROUP - 1);
      last = group.removeIf(work -> work.function == null);
      if (!group.isEmpty()) {
        commitGroup(group);
      }
    }
  }

  private void commitGroup(List<Work<?>> group) {
    try {
      inTransaction(handle -> {
        SqlTx tx = new SqlTx(handle);
        group.forEach(work -> work.run(tx));
      });
    } catch (RuntimeException e) {
      if (group.size() == 1) {
        group.getFirst().fail(e);
        return;
      }
      log.debug("a group of {} writes failed and is run one by one", group.size(), e);
      group.forEach(work -> commitGroup(List.of(work)));
      return;
    }
    group.forEach(Work::succeed);
  }

  private void inTransaction(java.util.function.Consumer<Handle> work) {
    writing.useTransaction(work::accept);
  }

  private static final class Work<T> {
    private final @Nullable Function<Tx, T> function;
    private final CompletableFuture<T> future = new CompletableFuture<>();
    private @Nullable T value;

    private Work(@Nullable Function<Tx, T> function) {
      this.function = function;
    }

    void run(Tx tx) {
      if (function != null) {
        value = function.apply(tx);
      }
    }

    @SuppressWarnings("NullAway") // a work may give null when its caller expects that
    void succeed() {
      future.complete(value);
    }

    void fail(RuntimeException e) {
      future.completeExceptionally(e);
    }
  }
}
