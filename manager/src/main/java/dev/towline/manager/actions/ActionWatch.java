package dev.towline.manager.actions;

import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.LiveOutput;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One watcher of an action.
 *
 * <p>Lifecycle: gives the present state of every target, then what happens, then the ended action,
 * then nothing more. {@link #close} it in any case.
 *
 * <p>Threading: {@link #next} is called by one thread and waits; {@link #close} and the feeding
 * methods by any, and don't. Live output is dropped when the watcher is slow; the whole of it is in
 * the target's end state.
 */
public final class ActionWatch implements AutoCloseable {
  private static final int MOST_OUTPUT_WAITING = 1024;

  private final String action;
  private final Actions actions;
  private final LinkedBlockingQueue<Note> notes = new LinkedBlockingQueue<>();
  private final AtomicInteger outputWaiting = new AtomicInteger();
  private final AtomicBoolean checkWaiting = new AtomicBoolean();
  private final Map<String, ActionTarget> told = new HashMap<>();
  private boolean done;

  ActionWatch(String action, Actions actions) {
    this.action = action;
    this.actions = actions;
  }

  private sealed interface Note {
    record Changed(String directive) implements Note {}

    record Output(LiveOutput output) implements Note {}

    record Check() implements Note {}

    record Closed() implements Note {}
  }

  void changed(String directive) {
    notes.add(new Note.Changed(directive));
  }

  /** One at a time: it comes again behind whatever else waits. */
  void check() {
    if (checkWaiting.compareAndSet(false, true)) {
      notes.add(new Note.Check());
    }
  }

  void output(LiveOutput output) {
    if (outputWaiting.incrementAndGet() > MOST_OUTPUT_WAITING) {
      outputWaiting.decrementAndGet();
      return;
    }
    notes.add(new Note.Output(output));
  }

  /** Waits for the next event; empty after the last one, or once closed. */
  public Optional<ActionEvent> next() throws InterruptedException {
    while (!done) {
      switch (notes.take()) {
        case Note.Output(LiveOutput output) -> {
          outputWaiting.decrementAndGet();
          return Optional.of(ActionEvent.newBuilder().setOutput(output).build());
        }
        case Note.Changed(String directive) -> {
          Optional<ActionTarget> target = actions.target(directive);
          if (target.isPresent() && !target.get().equals(told.put(directive, target.get()))) {
            check();
            return Optional.of(ActionEvent.newBuilder().setTarget(target.get()).build());
          }
        }
        case Note.Check() -> {
          checkWaiting.set(false);
          Optional<Action> ended = actions.ifEnded(action);
          if (ended.isPresent() && notes.isEmpty()) {
            done = true;
            return Optional.of(ActionEvent.newBuilder().setEnded(ended.get()).build());
          } else if (ended.isPresent()) {
            check();
          }
        }
        case Note.Closed() -> done = true;
      }
    }
    return Optional.empty();
  }

  @Override
  public void close() {
    actions.unwatch(this);
    notes.add(new Note.Closed());
  }
}
