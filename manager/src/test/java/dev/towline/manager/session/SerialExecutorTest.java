package dev.towline.manager.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Await;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SerialExecutorTest {
  private static final Duration BOUND = Duration.ofSeconds(60);

  private final Queue<Runnable> pool = new ArrayDeque<>();
  private final SerialExecutor serial = new SerialExecutor(pool::add);
  private final List<String> ran = new ArrayList<>();

  @Test
  void executeHere_idle_runsBeforeItReturns() {
    serial.executeHere(() -> ran.add("here"));
    assertThat(ran).containsExactly("here");
    assertThat(pool).isEmpty();
  }

  @Test
  void execute_idle_isLeftToThePool() {
    serial.execute(() -> ran.add("pool"));
    assertThat(ran).isEmpty();
    pool.remove().run();
    assertThat(ran).containsExactly("pool");
  }

  @Test
  void executeHere_othersWait_runsAfterThem() {
    serial.execute(() -> ran.add("first"));
    serial.executeHere(() -> ran.add("second"));
    assertThat(ran).isEmpty();
    pool.remove().run();
    assertThat(ran).containsExactly("first", "second");
  }

  @Test
  void taskHandsInTasks_theyRunAfterIt() {
    serial.executeHere(() -> {
      serial.executeHere(() -> ran.add("inner"));
      serial.execute(() -> ran.add("left to the pool"));
      ran.add("outer");
    });
    assertThat(ran).containsExactly("outer", "inner", "left to the pool");
    assertThat(pool).isEmpty();
  }

  @Test
  void taskFails_nextOneRuns() {
    serial.executeHere(() -> {
      serial.executeHere(() -> ran.add("next"));
      throw new IllegalStateException("meant to fail");
    });
    serial.executeHere(() -> ran.add("later"));
    assertThat(ran).containsExactly("next", "later");
  }

  @Test
  void manyThreads_oneTaskAtATimeEachInItsOrder() {
    int threads = 4;
    int each = 20_000;
    var inside = new AtomicInteger();
    var overlaps = new AtomicInteger();
    int[] next = new int[threads];
    var wrongOrder = new AtomicInteger();
    var done = new CountDownLatch(threads * each);
    try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      var own = new SerialExecutor(executor);
      for (int t = 0; t < threads; t++) {
        int thread = t;
        executor.execute(() -> {
          for (int i = 0; i < each; i++) {
            int number = i;
            Runnable task =
                () -> {
                  if (inside.incrementAndGet() > 1) {
                    overlaps.incrementAndGet();
                  }
                  // Not guarded by anything else: only one at a time may be here.
                  if (next[thread] != number) {
                    wrongOrder.incrementAndGet();
                  }
                  next[thread] = number + 1;
                  inside.decrementAndGet();
                  done.countDown();
                };
            if (number % 3 == 0) {
              own.execute(task);
            } else {
              own.executeHere(task);
            }
          }
        });
      }
      Await.until("all tasks", BOUND, () -> done.getCount() == 0);
    }
    assertThat(overlaps).hasValue(0);
    assertThat(wrongOrder).hasValue(0);
  }
}
