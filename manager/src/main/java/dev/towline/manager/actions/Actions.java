package dev.towline.manager.actions;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.Directives;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.ids.Ids;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.NodeQuery;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.CancelAction;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.LiveOutput;
import dev.towline.proto.v1.NoOp;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/** Programs that operators run on hosts. Safe for use by several threads. */
public final class Actions {
  public static final ErrorCode ACTION_NOT_FOUND = ErrorCode.user("ACTION_NOT_FOUND");
  public static final ErrorCode ACTION_INVALID = ErrorCode.user("ACTION_INVALID");
  public static final ErrorCode NO_HOST_SELECTED = ErrorCode.user("NO_HOST_SELECTED");

  private static final Duration USUAL_TIME_LIMIT = Duration.ofSeconds(60);
  private static final Duration LONGEST_TIME_LIMIT = Duration.ofHours(24);
  private static final long USUAL_OUTPUT_LIMIT = 1 << 20;
  private static final long LARGEST_OUTPUT_LIMIT = 3 << 20;
  private static final Duration USUAL_TAKE_UP = Duration.ofHours(1);
  private static final Duration LONGEST_TAKE_UP = Duration.ofDays(30);

  private final Store store;
  private final Directives directives;
  private final InstantSource clock;
  private final SecureRandom random;

  /** By the directives they look at. */
  private final Map<String, Set<ActionWatch>> watches = new ConcurrentHashMap<>();

  public Actions(Store store, Directives directives, InstantSource clock, SecureRandom random) {
    this.store = store;
    this.directives = directives;
    this.clock = clock;
    this.random = random;
  }

  /** Starts an action on every selected host, or gives the one that the same key started before. */
  public Action create(NewAction wanted) {
    if (wanted.selector().isBlank()) {
      throw invalid("selector: empty (expected: a selector, or all)");
    }
    RunAction run = wanted.noOp() ? RunAction.getDefaultInstance() : checked(wanted.run());
    Duration takeUp = checkedTakeUp(wanted.takeUpWithin());
    Selector selector = Selector.parse(wanted.selector());
    DirectiveContent content =
        wanted.noOp()
            ? DirectiveContent.newBuilder().setNoOp(NoOp.getDefaultInstance()).build()
            : DirectiveContent.newBuilder().setRunAction(run).build();
    String id = Ids.newUuid(random);
    Created created =
        store.commit(tx -> {
          if (!wanted.idempotencyKey().isEmpty()) {
            Optional<StoredAction> before = tx.actions().withKey(wanted.idempotencyKey());
            if (before.isPresent()) {
              return new Created(action(tx, before.get(), true), List.of());
            }
          }
          List<Node> hosts =
              tx.nodes().list(NodeQuery.all(Role.AGENT, selector)).stream()
                  .filter(node -> node.revokedMs() == 0)
                  .toList();
          if (hosts.isEmpty()) {
            throw new TowlineException(
                NO_HOST_SELECTED,
                "selector: " + wanted.selector() + " (no host matches)",
                "see towline hosts list");
          }
          long now = clock.millis();
          StoredAction action =
              new StoredAction(
                  id,
                  wanted.selector(),
                  wanted.noOp(),
                  run,
                  wanted.createdBy(),
                  now,
                  now + takeUp.toMillis(),
                  wanted.idempotencyKey(),
                  "");
          tx.actions().create(action);
          List<QueuedDirective> queued =
              directives.enqueueAll(tx, hosts.stream().map(Node::id).toList(), content, takeUp, id);
          return new Created(action(tx, action, true), queued);
        });
    directives.committed(created.queued());
    return created.action();
  }

  /**
   * Orders what is no program; followed and shown like an action.
   *
   * @param title for people
   * @param targets what each node is told, in the order of telling; decided in the transaction
   * @return empty when there is nobody to tell
   */
  public Optional<Action> order(
      String title,
      String selector,
      String by,
      Duration takeUp,
      Function<Tx, SequencedMap<String, DirectiveContent>> targets) {
    String id = Ids.newUuid(random);
    Optional<Created> created =
        store.commit(tx -> {
          SequencedMap<String, DirectiveContent> told = targets.apply(tx);
          if (told.isEmpty()) {
            return Optional.empty();
          }
          long now = clock.millis();
          StoredAction action =
              new StoredAction(
                  id,
                  selector,
                  false,
                  RunAction.getDefaultInstance(),
                  by,
                  now,
                  now + takeUp.toMillis(),
                  "",
                  title);
          tx.actions().create(action);
          List<QueuedDirective> queued = new ArrayList<>(told.size());
          told.forEach(
              (node, content) -> queued.add(directives.enqueue(tx, node, content, takeUp, id)));
          return Optional.of(new Created(action(tx, action, false), queued));
        });
    created.ifPresent(c -> directives.committed(c.queued()));
    return created.map(Created::action);
  }

  public Action action(String id) {
    return store.read(tx -> action(tx, stored(tx, id), true));
  }

  /**
   * Newest first, without output.
   *
   * @param beforeId id of the last one of the page before; empty for the first page
   */
  public List<Action> list(String beforeId, int limit) {
    return store.read(tx ->
        tx.actions().list(beforeId, limit).stream()
            .map(action -> action(tx, action, false))
            .toList());
  }

  /** Withdraws it where it has not begun and orders a stop where it may have. */
  public Action cancel(String id) {
    Cancelled cancelled =
        store.commit(tx -> {
          StoredAction action = stored(tx, id);
          List<String> withdrawn = new ArrayList<>();
          List<QueuedDirective> orders = new ArrayList<>();
          for (QueuedDirective directive : tx.directives().ofAction(id)) {
            if (DirectiveContents.isCancel(directive)) {
              continue;
            }
            if (directive.state() == DirectiveState.QUEUED) {
              tx.directives()
                  .end(
                      directive.id(),
                      DirectiveState.ENDED,
                      Outcome.OUTCOME_CANCELLED,
                      "cancelled before it was delivered",
                      clock.millis());
              withdrawn.add(directive.id());
            } else if (DirectiveContents.isUnderWay(directive.state())) {
              orders.add(
                  directives.enqueue(
                      tx, directive.target(), stop(directive.sequence()), USUAL_TAKE_UP, id));
            }
          }
          return new Cancelled(action(tx, action, true), withdrawn, orders);
        });
    cancelled.withdrawn().forEach(this::changed);
    directives.committed(cancelled.orders());
    return cancelled.action();
  }

  /** Follows an action from its present state to its end. */
  public ActionWatch watch(String id) {
    List<QueuedDirective> targets =
        store.read(tx -> {
          stored(tx, id);
          return tx.directives().ofAction(id);
        });
    ActionWatch watch = new ActionWatch(id, this);
    for (QueuedDirective directive : targets) {
      if (!DirectiveContents.isCancel(directive)) {
        watches.computeIfAbsent(directive.id(), _ -> ConcurrentHashMap.newKeySet()).add(watch);
        watch.changed(directive.id());
      }
    }
    watch.check();
    return watch;
  }

  /** A directive moved on; called after the commit. Does not block. */
  public void changed(String directive) {
    Set<ActionWatch> watching = watches.get(directive);
    if (watching != null) {
      watching.forEach(watch -> watch.changed(directive));
    }
  }

  /** Live output arrived. Does not block. */
  public void output(String directive, String hostId, String name, long offset, ByteString data) {
    Set<ActionWatch> watching = watches.get(directive);
    if (watching != null) {
      LiveOutput output =
          LiveOutput.newBuilder()
              .setHostId(hostId)
              .setHostName(name)
              .setOffset(offset)
              .setData(data)
              .build();
      watching.forEach(watch -> watch.output(output));
    }
  }

  void unwatch(ActionWatch watch) {
    watches
        .values()
        .removeIf(watching -> {
          watching.remove(watch);
          return watching.isEmpty();
        });
  }

  Optional<ActionTarget> target(String directive) {
    return store.read(tx -> tx.actions().target(directive));
  }

  Optional<Action> ifEnded(String id) {
    return store.read(tx ->
        tx.actions().ended(id)
            ? tx.actions().find(id).map(action -> action(tx, action, true))
            : Optional.empty());
  }

  private static Action action(Tx tx, StoredAction stored, boolean withOutput) {
    // Before the targets: those of one that has ended have ended, whatever commits in between.
    boolean ended = tx.actions().ended(stored.id());
    return Action.newBuilder()
        .setId(stored.id())
        .setSelector(stored.selector())
        .setNoOp(stored.noOp())
        .setRun(stored.run())
        .setTitle(stored.title())
        .setCreatedBy(stored.createdBy())
        .setCreatedMs(stored.createdMs())
        .setExpiresMs(stored.expiresMs())
        .addAllTargets(tx.actions().targets(stored.id(), withOutput))
        .setEnded(ended)
        .build();
  }

  private static StoredAction stored(Tx tx, String id) {
    return tx.actions()
        .find(id)
        .orElseThrow(() ->
            new TowlineException(
                ACTION_NOT_FOUND, "action: " + id + " does not exist", "see towline actions list"));
  }

  private static DirectiveContent stop(long sequence) {
    return DirectiveContent.newBuilder()
        .setCancelAction(CancelAction.newBuilder().setSequence(sequence))
        .build();
  }

  private static RunAction checked(RunAction run) {
    if (run.getCommandList().isEmpty() || run.getCommand(0).isEmpty()) {
      throw invalid("command: empty (expected: a program and its arguments)");
    }
    RunAction.Builder checked = run.toBuilder();
    if (run.getTimeLimitMs() == 0) {
      checked.setTimeLimitMs(USUAL_TIME_LIMIT.toMillis());
    }
    if (run.getTimeLimitMs() < 0 || run.getTimeLimitMs() > LONGEST_TIME_LIMIT.toMillis()) {
      throw invalid(
          "time limit: " + Duration.ofMillis(run.getTimeLimitMs()) + " (expected: up to 24 hours)");
    }
    if (run.getOutputLimitBytes() == 0) {
      checked.setOutputLimitBytes(USUAL_OUTPUT_LIMIT);
    }
    if (run.getOutputLimitBytes() < 0 || run.getOutputLimitBytes() > LARGEST_OUTPUT_LIMIT) {
      throw invalid(
          "output limit: " + run.getOutputLimitBytes() + " bytes (expected: up to 3 MiB)");
    }
    return checked.build();
  }

  private static Duration checkedTakeUp(Duration takeUp) {
    if (takeUp.isZero()) {
      return USUAL_TAKE_UP;
    }
    if (takeUp.isNegative() || takeUp.compareTo(LONGEST_TAKE_UP) > 0) {
      throw invalid("expiry: " + takeUp + " (expected: up to 30 days)");
    }
    return takeUp;
  }

  private static TowlineException invalid(String message) {
    return new TowlineException(ACTION_INVALID, message, "correct it and try again");
  }

  private record Created(Action action, List<QueuedDirective> queued) {}

  private record Cancelled(Action action, List<String> withdrawn, List<QueuedDirective> orders) {}
}
