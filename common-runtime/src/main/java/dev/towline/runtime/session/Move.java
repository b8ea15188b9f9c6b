package dev.towline.runtime.session;

import dev.towline.runtime.session.DialOrder.Target;
import dev.towline.runtime.tls.ServerAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Another way to the manager that is looked for while the present session goes on. Belongs to the
 * session's thread.
 */
final class Move {
  private static final long NEVER = Long.MAX_VALUE;
  private static final Duration SPREAD = Duration.ofSeconds(2);
  private static final Duration PAUSE = Duration.ofSeconds(5);

  final List<ServerAddress> servers;

  /** The address to get away from. */
  final @Nullable ServerAddress without;

  /** Looked for until there is one: the present session will end. */
  final boolean again;

  /** Of a trial: empty once a heartbeat went there and back, else why it is given up. */
  final @Nullable CompletableFuture<Optional<String>> outcome;

  /** When a trial is given up. */
  final long deadline;

  /** Of a trial that waits for the manager to dial; 0: this node dials. */
  final long call;

  /** Where the manager is asked to dial. */
  final int port;

  final Deque<Target> left = new ArrayDeque<>();
  @Nullable SessionLink link;
  boolean asked;
  long at = NEVER;
  String problem = "";

  private Move(
      List<ServerAddress> servers,
      @Nullable ServerAddress without,
      boolean again,
      @Nullable CompletableFuture<Optional<String>> outcome,
      long deadline,
      long call,
      int port) {
    this.call = call;
    this.port = port;
    this.servers = servers;
    this.without = without;
    this.again = again;
    this.outcome = outcome;
    this.deadline = deadline;
  }

  static Move once(List<ServerAddress> servers) {
    return new Move(List.of(servers.getFirst()), null, false, null, NEVER, 0, 0);
  }

  static Move away(List<ServerAddress> servers, ServerAddress from) {
    return new Move(servers, from, true, null, NEVER, 0, 0);
  }

  static Move trial(
      List<ServerAddress> servers, long deadline, CompletableFuture<Optional<String>> outcome) {
    return new Move(servers, null, false, outcome, deadline, 0, 0);
  }

  /** The manager was asked to dial; what it says and who comes in is about this call. */
  static Move call(
      long number, int port, long deadline, CompletableFuture<Optional<String>> outcome) {
    return new Move(List.of(), null, false, outcome, deadline, number, port);
  }

  boolean isCall() {
    return call != 0;
  }

  void found(List<Target> targets) {
    left.clear();
    targets.stream().filter(target -> !target.dialled().equals(without)).forEach(left::add);
    problem =
        targets.isEmpty() ? "no address is known for " + servers : "no other address of " + servers;
  }

  void failed(SessionLink tried, String why) {
    if (link == tried) {
      link = null;
      problem = why;
    }
  }

  String lateness() {
    if (isCall()) {
      return link == null
          ? "no manager came in in time" + (problem.isEmpty() ? "" : "; " + problem)
          : "the manager came in as " + link + ", but no heartbeat went there and back in time";
    }
    return "no session over "
        + (link == null ? servers.toString() : link.toString())
        + " in time"
        + (problem.isEmpty() ? "" : "; " + problem);
  }

  long spread(RandomGenerator random) {
    return random.nextLong(SPREAD.toNanos());
  }

  long pause(RandomGenerator random) {
    return PAUSE.toNanos() + random.nextLong(PAUSE.toNanos());
  }
}
