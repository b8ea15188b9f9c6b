package dev.towline.agent.policy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SetPolicy;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the policy that the manager sends and brings it into force (H6).
 *
 * <p>Lifecycle: {@link #attach} before the session starts, which also brings the stored policy into
 * force; {@link #stop} at its end. Threading: called on the session's thread; policies follow one
 * another on a thread of their own. Failure: a policy that can't be stored is not in force, and its
 * directive fails; the one before goes on. Of one whose direction does not work everything else is
 * in force.
 */
public final class PolicyHandler implements DirectiveHandler {
  private static final Logger log = LoggerFactory.getLogger(PolicyHandler.class);

  private final PolicyFile file;
  private final InstantSource clock;
  private final ExecutorService worker;
  private final CompletableFuture<Effect> effect = new CompletableFuture<>();

  public PolicyHandler(PolicyFile file, InstantSource clock, ThreadFactory threads) {
    this.file = file;
    this.clock = clock;
    this.worker = Executors.newSingleThreadExecutor(threads);
  }

  /** What a policy does to the agent. */
  public interface Effect {
    /** A policy is in force; returns at once. */
    void inForce(EffectivePolicy policy);

    /**
     * Tries what might cut the host off, before anything is kept.
     *
     * @return empty when it works; else what does not, why, and what to do
     */
    default Optional<String> tryOut(EffectivePolicy wanted)
        throws InterruptedException, ExecutionException {
      return Optional.empty();
    }
  }

  /** What the disk says; it is in force until another one comes. */
  public EffectivePolicy policy() {
    return file.policy();
  }

  public void attach(Effect agent) {
    agent.inForce(file.policy());
    effect.complete(agent);
  }

  public void stop() {
    worker.shutdown();
  }

  /** Of what is in force; empty when there is no policy. */
  public ByteString fingerprint() {
    return file.policy().fingerprint();
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_SET_POLICY;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    SetPolicy wanted = directive.content().getSetPolicy();
    try {
      worker.execute(() -> carryOut(wanted, progress));
    } catch (RejectedExecutionException _) {
      // The agent stops; at its next start the manager sees what it has and sends it again.
    }
  }

  private void carryOut(SetPolicy wanted, Progress progress) {
    try {
      progress.started();
      progress.finished(set(wanted));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException | ExecutionException | RuntimeException e) {
      progress.finished(end(Outcome.OUTCOME_FAILED, "policy can't be stored: " + e));
    }
  }

  private DirectiveEnd set(SetPolicy wanted)
      throws IOException, InterruptedException, ExecutionException {
    var policy = new EffectivePolicy(wanted.getSettingsMap());
    if (!policy.fingerprint().equals(wanted.getFingerprint())) {
      // Another way of counting: the manager would send it again and again.
      return end(
          Outcome.OUTCOME_FAILED,
          "fingerprint of the policy differs from the manager's (expected: the same version of"
              + " it)");
    }
    Optional<String> problem = effect.get().tryOut(policy);
    EffectivePolicy kept = problem.isPresent() ? policy.withConnectionOf(file.policy()) : policy;
    file.replace(kept);
    effect.get().inForce(kept);
    log.info("policy in force: {}", kept.settings().isEmpty() ? "defaults" : kept.shown());
    return problem
        .map(why -> {
          String detail =
              "direction %s does not work, it stays %s: %s"
                  .formatted(policy.direction().label(), kept.direction().label(), why);
          log.warn("{}", detail);
          return end(Outcome.OUTCOME_FAILED, detail);
        })
        .orElseGet(() -> end(Outcome.OUTCOME_SUCCEEDED, ""));
  }

  private DirectiveEnd end(Outcome outcome, String detail) {
    Instant now = clock.instant();
    return DirectiveEnd.of(outcome, now, detail);
  }
}
