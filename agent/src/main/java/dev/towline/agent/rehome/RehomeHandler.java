package dev.towline.agent.rehome;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Rehome;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * Takes this host to other servers (P5, P12): tried first, kept on the disk once it works, and
 * reported either way.
 *
 * <p>Lifecycle: {@link #attach} before the session starts, {@link #stop} at its end. Threading:
 * called on the session's thread; moves follow one another on a thread of their own. Failure: every
 * accepted directive ends in one result; one that was under way when the program ended is reported
 * as interrupted, and the host is where its disk says.
 */
public final class RehomeHandler implements DirectiveHandler {
  private static final Duration LONGEST_DELAY = Duration.ofMinutes(10);
  private static final Duration LONGEST_TRIAL = Duration.ofMinutes(5);
  private static final Duration USUAL_TRIAL = Duration.ofSeconds(30);

  private final InstantSource clock;
  private final Book book;
  private final ExecutorService worker;
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final CompletableFuture<Mover> mover = new CompletableFuture<>();

  /** The session, as far as it can be moved. */
  public interface Mover {
    CompletableFuture<Optional<String>> tryMove(List<ServerAddress> servers, Duration limit);

    void leaveTo(List<ServerAddress> servers);

    /** Whether this host dials at all. */
    default boolean dials() {
      return true;
    }
  }

  /** Keeps the servers for the next start; returns when they are on the disk. */
  public interface Book {
    void keep(List<ServerAddress> servers) throws IOException;
  }

  public RehomeHandler(InstantSource clock, Book book, ThreadFactory threads) {
    this.clock = clock;
    this.book = book;
    this.worker = Executors.newSingleThreadExecutor(threads);
  }

  public void attach(Mover session) {
    mover.complete(session);
  }

  public void stop() {
    stopped.countDown();
    worker.shutdownNow();
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_REHOME;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    Rehome wanted = directive.content().getRehome();
    worker.execute(() -> {
      try {
        move(wanted, progress);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        progress.finished(
            DirectiveEnd.of(
                Outcome.OUTCOME_INTERRUPTED, clock.instant(), "the agent stopped meanwhile"));
      } catch (ExecutionException | IOException | RuntimeException e) {
        progress.finished(
            DirectiveEnd.of(Outcome.OUTCOME_FAILED, clock.instant(), String.valueOf(e)));
      }
    });
  }

  private void move(Rehome wanted, Progress progress)
      throws InterruptedException, ExecutionException, IOException {
    List<ServerAddress> servers =
        wanted.getServersList().stream()
            .map(ServerAddress::parse)
            .flatMap(Optional::stream)
            .toList();
    if (servers.isEmpty() || servers.size() != wanted.getServersCount()) {
      progress.finished(
          DirectiveEnd.of(
              Outcome.OUTCOME_FAILED,
              clock.instant(),
              "servers: %s (expected: at least one, each host:port)"
                  .formatted(wanted.getServersList())));
      return;
    }
    if (!mover.get().dials()) {
      progress.finished(
          DirectiveEnd.of(
              Outcome.OUTCOME_FAILED,
              clock.instant(),
              "stays where it is: its manager dials it and it dials nobody (connection.direction);"
                  + " give it a direction in which it dials first"));
      return;
    }
    Duration delay = atMost(LONGEST_DELAY, wanted.getStartAfterMs());
    if (stopped.await(delay.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new InterruptedException();
    }
    progress.started();
    Instant started = clock.instant();
    Duration limit =
        wanted.getTimeLimitMs() > 0 ? atMost(LONGEST_TRIAL, wanted.getTimeLimitMs()) : USUAL_TRIAL;
    Optional<String> problem = mover.get().tryMove(servers, limit).get();
    if (problem.isEmpty()) {
      book.keep(servers);
      progress.finished(end(Outcome.OUTCOME_SUCCEEDED, started, "moved to " + servers));
    } else if (wanted.getStrand()) {
      book.keep(servers);
      progress.finished(
          end(
              Outcome.OUTCOME_SUCCEEDED,
              started,
              "no route: " + problem.get() + "; goes on trying " + servers));
      mover.get().leaveTo(servers);
    } else {
      progress.finished(
          end(Outcome.OUTCOME_FAILED, started, "stays where it is: " + problem.get()));
    }
  }

  private DirectiveEnd end(Outcome outcome, Instant started, String detail) {
    return new DirectiveEnd(outcome, 0, ByteString.EMPTY, false, started, clock.instant(), detail);
  }

  private static Duration atMost(Duration longest, long millis) {
    return Duration.ofMillis(Math.clamp(millis, 0, longest.toMillis()));
  }
}
