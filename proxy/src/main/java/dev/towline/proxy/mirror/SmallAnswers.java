package dev.towline.proxy.mirror;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.function.LongSupplier;

/**
 * Small answers of the manager, each asked for once by however many want it within two seconds.
 *
 * <p>Threading: safe for use by several threads; calls block. Failure: an {@link IOException} when
 * no manager answers, for all who wait for it.
 */
final class SmallAnswers {
  private static final long FRESH_NANOS = Duration.ofSeconds(2).toNanos();

  /** More than metadata of the most versions that there can be. */
  private static final int LARGEST = 16 << 20;

  private static final int SWEEP_FROM = 256;

  private final ManagerSite site;
  private final LongSupplier nanoTime;
  private final Map<Question, Held> held = new ConcurrentHashMap<>();

  SmallAnswers(ManagerSite site, LongSupplier nanoTime) {
    this.site = site;
    this.nanoTime = nanoTime;
  }

  /**
   * @param challenge what a client is told to log in with; empty for nothing
   */
  record Answer(int status, OptionalLong length, byte[] body, String challenge) {}

  private record Question(String method, String target, String authorization) {}

  private record Held(CompletableFuture<Answer> answer, long asked) {}

  Answer ask(String method, String target, String authorization)
      throws IOException, InterruptedException {
    var question = new Question(method, target, authorization);
    var own = new CompletableFuture<Answer>();
    Held now =
        held.compute(
            question,
            (_, before) ->
                before != null && isFresh(before) ? before : new Held(own, nanoTime.getAsLong()));
    if (now.answer().equals(own)) {
      sweep();
      try {
        own.complete(fetch(question));
      } catch (IOException | InterruptedException | RuntimeException e) {
        held.remove(question, now);
        own.completeExceptionally(e);
        throw e;
      }
    }
    try {
      return now.answer().get();
    } catch (ExecutionException e) {
      throw new IOException(String.valueOf(e.getCause()), e);
    }
  }

  private boolean isFresh(Held before) {
    return !before.answer().isDone() || nanoTime.getAsLong() - before.asked() < FRESH_NANOS;
  }

  private void sweep() {
    if (held.size() > SWEEP_FROM) {
      held.values().removeIf(one -> !isFresh(one));
    }
  }

  private Answer fetch(Question question) throws IOException, InterruptedException {
    HttpResponse<InputStream> response =
        site.ask(
            question.method(),
            question.target(),
            question.authorization().isEmpty()
                ? Map.of()
                : Map.of(ManagerSite.AUTHORIZATION, question.authorization()));
    try (InputStream body = response.body()) {
      byte[] content = body.readNBytes(LARGEST + 1);
      if (content.length > LARGEST) {
        throw new IOException(question.target() + " is longer than metadata can be");
      }
      return new Answer(
          response.statusCode(),
          response.headers().firstValueAsLong("Content-Length"),
          content,
          response.headers().firstValue("WWW-Authenticate").orElse(""));
    }
  }
}
