package dev.towline.agent.firewall;

import com.google.protobuf.ByteString;
import dev.towline.agent.firewall.FirewallEngine.Change;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.proto.v1.Outcome;
import dev.towline.runtime.firewall.FirewallPolicy;
import dev.towline.runtime.firewall.FirewallRules;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The host firewall as the manager orders it. Off until the first order; then the agent only looks
 * at what others have.
 *
 * <p>Lifecycle: {@link #start} once the session is attached, {@link #stop} at the end; the rules
 * stay in force without the agent. Threading: called on the session's thread, everything happens on
 * one thread of its own, orders one after the other. Failure: every accepted directive ends in one
 * result; one that was under way when the program ended is reported as interrupted, and its rules
 * are taken back.
 */
public final class FirewallHandler implements DirectiveHandler {
  private static final Logger log = LoggerFactory.getLogger(FirewallHandler.class);
  private static final Duration LOOK = Duration.ofSeconds(3);
  private static final Duration AGAIN = Duration.ofSeconds(5);
  private static final Duration BETWEEN_TRIES = Duration.ofSeconds(1);
  private static final Duration OPENED_WITHIN = Duration.ofSeconds(10);
  private static final Duration USUAL_LIMIT = Duration.ofSeconds(60);
  private static final Duration SHORTEST_LIMIT = Duration.ofSeconds(10);
  private static final Duration LONGEST_LIMIT = Duration.ofMinutes(10);

  /** Begins the ids of rule sets that come from a policy. */
  private static final String OF_POLICY = "policy-";

  /** Ends the ids of rule sets that were set again for another port. */
  private static final String FOR_PORT = "-port-";

  private final InstantSource clock;
  private final FirewallEngine.Pause pause;
  private final ScheduledExecutorService worker;
  private final CompletableFuture<Session> session = new CompletableFuture<>();
  private final FirewallEngine engine;
  private final HostCommands commands;
  private final Path root;

  /** The policy says which rules are in force. Of the worker. */
  private boolean byPolicy;

  /** The session, as far as the firewall needs it. */
  public interface Session {
    /** Makes another connection; empty when a heartbeat went there and back on it. */
    CompletableFuture<Optional<String>> reconnect(Duration limit);

    void event(String code, String detail);
  }

  /**
   * @param directory for rule sets and snapshots
   * @param root of the file system, for what the kernel shows there
   */
  public FirewallHandler(
      Path directory,
      HostCommands commands,
      Path root,
      InstantSource clock,
      ThreadFactory threads) {
    this(
        directory,
        commands,
        root,
        clock,
        time -> TimeUnit.NANOSECONDS.sleep(time.toNanos()),
        threads);
  }

  FirewallHandler(
      Path directory,
      HostCommands commands,
      Path root,
      InstantSource clock,
      FirewallEngine.Pause pause,
      ThreadFactory threads) {
    this.clock = clock;
    this.pause = pause;
    this.commands = commands;
    this.root = root;
    this.worker = Executors.newSingleThreadScheduledExecutor(threads);
    this.engine =
        new FirewallEngine(
            new FirewallFiles(directory),
            commands,
            root,
            clock,
            pause,
            this::connect,
            (code, detail) -> {
              var _ = session.thenAccept(attached -> attached.event(code, detail));
            });
  }

  public void attach(Session attached) {
    session.complete(attached);
  }

  /** Brings back what was confirmed before, and watches over it from then on. */
  public void start() {
    worker.execute(() -> quietly(engine::recover));
    var _ =
        worker.scheduleWithFixedDelay(
            () -> quietly(engine::look), LOOK.toMillis(), LOOK.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Brings the rules of a policy into force, or takes them away when it has none any more. */
  public void follow(EffectivePolicy policy) {
    try {
      worker.execute(() ->
          quietly(() -> {
            engine.listening(FirewallPolicy.listening(policy));
            carryOut(FirewallPolicy.document(policy));
            followPort(FirewallPolicy.listening(policy));
          }));
    } catch (RejectedExecutionException _) {
      // The agent stops; it looks at its policy when it starts.
    }
  }

  /**
   * Lets managers in at a port where the agent is going to listen (F1); 0: it is not going to.
   * Returns when they can come in, or soon after.
   */
  public void opens(int port) throws InterruptedException {
    var done = new CompletableFuture<Void>();
    try {
      worker.execute(() -> {
        quietly(() -> engine.opens(port));
        done.complete(null);
      });
      done.get(OPENED_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException | ExecutionException e) {
      log.debug("firewall: {}", e.toString());
    } catch (TimeoutException _) {
      log.warn("firewall: port {} waits for an order that is under way", port);
    }
  }

  public void stop() {
    worker.shutdownNow();
  }

  /** For the heartbeat (H1). */
  public ModuleStatus status() {
    FirewallEngine.State now = engine.state();
    String what = now.on() ? "%d rules, set %s".formatted(now.rules(), now.id()) : "off";
    return ModuleStatus.newBuilder()
        .setName("firewall")
        .setOnline(now.on())
        .setDetail(now.note().isEmpty() ? what : what + "; " + now.note())
        .build();
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_CONTROL_FIREWALL;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    ControlFirewall order = directive.content().getControlFirewall();
    worker.execute(() -> {
      try {
        carryOut(directive, order, progress);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        end(progress, Outcome.OUTCOME_INTERRUPTED, "the agent stopped meanwhile");
      } catch (IOException | RuntimeException e) {
        log.warn("firewall order {} failed", directive.id(), e);
        end(progress, Outcome.OUTCOME_FAILED, String.valueOf(e.getMessage()));
      }
    });
  }

  private void carryOut(Optional<String> wanted) throws IOException, InterruptedException {
    byPolicy = wanted.isPresent();
    String present = engine.confirmed().orElse("");
    if (wanted.isEmpty()) {
      if (present.startsWith(OF_POLICY)) {
        log.info("firewall: the policy has no rules any more: {}", engine.off());
      }
      return;
    }
    String id = OF_POLICY + ForeignRules.digest(wanted.get()).substring(0, 16);
    if (present.equals(id)) {
      return;
    }
    bringInForce(id, wanted.get(), "rules of the policy");
  }

  /** Rules that were set by an order and don't say the agent's port (F1). */
  private void followPort(int port) throws IOException, InterruptedException {
    Optional<String> outdated = engine.outdated();
    if (outdated.isEmpty()) {
      return;
    }
    String id = engine.confirmed().orElseThrow().replaceFirst(FOR_PORT + "\\d+$", "");
    bringInForce(id + FOR_PORT + port, outdated.get(), "rules for port " + port);
  }

  private void bringInForce(String id, String document, String what)
      throws IOException, InterruptedException {
    if (engine.isKnownBad(id)) {
      return;
    }
    switch (insist(id, document, USUAL_LIMIT)) {
      case Change.Confirmed(String note) -> log.info("firewall: {}: {}", what, note);
      // Not again until they are others: each time cuts the host off for a minute.
      case Change.RolledBack _ -> engine.noteBad(id);
      case Change.Refused(String why) -> engine.refused(what + ": " + why);
      case Change.NoManager(String why) -> log.warn("firewall: {}", why);
    }
  }

  private void carryOut(AcceptedDirective directive, ControlFirewall order, Progress progress)
      throws IOException, InterruptedException {
    progress.started();
    switch (order.getOrder()) {
      case SET -> {
        if (!isRefusedByPolicy(progress)) {
          set(directive, order, progress);
        }
      }
      case OFF -> {
        if (isRefusedByPolicy(progress)) {
          return;
        }
        switch (engine.off()) {
          case Change.Confirmed(String note) -> said(progress, note);
          case Change.Refused(String why) -> end(progress, Outcome.OUTCOME_FAILED, why);
          case Change.RolledBack(String why) -> end(progress, Outcome.OUTCOME_FAILED, why);
          case Change.NoManager(String why) -> end(progress, Outcome.OUTCOME_FAILED, why);
        }
      }
      case SHOW -> said(progress, FirewallText.show(engine, new Findings(commands, root)));
      case TEST ->
          said(
              progress,
              FirewallText.test(
                  engine.rules().orElse(new FirewallRules(true, OptionalInt.empty(), List.of())),
                  order.getPacket(),
                  new Findings(commands, root)));
      case ORDER_UNSPECIFIED, UNRECOGNIZED ->
          end(progress, Outcome.OUTCOME_UNSUPPORTED, "order: " + order.getOrderValue());
    }
  }

  private void set(AcceptedDirective directive, ControlFirewall order, Progress progress)
      throws IOException, InterruptedException {
    Duration limit =
        order.getConfirmWithinMs() == 0
            ? USUAL_LIMIT
            : Duration.ofMillis(
                Math.clamp(
                    order.getConfirmWithinMs(),
                    SHORTEST_LIMIT.toMillis(),
                    LONGEST_LIMIT.toMillis()));
    switch (insist(directive.id(), order.getRules(), limit)) {
      case Change.Confirmed(String note) -> said(progress, "confirmed: " + note);
      case Change.RolledBack(String reason) ->
          end(progress, Outcome.OUTCOME_FAILED, "rolled back: " + reason);
      case Change.Refused(String reason) ->
          end(progress, Outcome.OUTCOME_FAILED, "refused: " + reason);
      case Change.NoManager(String reason) -> end(progress, Outcome.OUTCOME_FAILED, reason);
    }
  }

  /** Sets rules; without a manager nothing is known of them, so then they are tried again. */
  private Change insist(String id, String document, Duration limit)
      throws IOException, InterruptedException {
    while (true) {
      Change change = engine.set(id, document, limit);
      if (!(change instanceof Change.NoManager(String reason))) {
        return change;
      }
      log.warn("firewall: {}", reason);
      while (connect(AGAIN).isPresent()) {
        pause.of(BETWEEN_TRIES);
        engine.look();
      }
    }
  }

  private boolean isRefusedByPolicy(Progress progress) {
    if (byPolicy) {
      end(
          progress,
          Outcome.OUTCOME_FAILED,
          "refused: the rules come from the host's policy (see towline policy explain)");
    }
    return byPolicy;
  }

  private Optional<String> connect(Duration limit) throws InterruptedException {
    try {
      return session.get().reconnect(limit).get(limit.toMillis() + 5_000, TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      return Optional.of(String.valueOf(e));
    }
  }

  private void said(Progress progress, String text) {
    Instant now = clock.instant();
    progress.finished(
        new DirectiveEnd(
            Outcome.OUTCOME_SUCCEEDED,
            0,
            ByteString.copyFromUtf8(text.endsWith("\n") ? text : text + "\n"),
            false,
            now,
            now,
            ""));
  }

  private void end(Progress progress, Outcome outcome, String detail) {
    progress.finished(DirectiveEnd.of(outcome, clock.instant(), detail));
  }

  private void quietly(Work work) {
    try {
      work.run();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException | RuntimeException e) {
      log.warn("firewall: {}", e.getMessage());
    }
  }

  private interface Work {
    void run() throws IOException, InterruptedException;
  }
}
