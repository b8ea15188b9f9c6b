package dev.towline.runtime.session;

import static java.util.Comparator.comparing;

import dev.towline.runtime.session.DialOrder.Target;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks up the addresses behind servers, each time anew. While a name can't be looked up, what it
 * last led to serves.
 *
 * <p>Threading: belongs to the session's thread; answers arrive there too.
 */
final class AddressBook {
  private static final Logger log = LoggerFactory.getLogger(NodeSession.class);

  private final FleetChannels channels;
  private final RandomGenerator random;
  private final Consumer<Runnable> sessionThread;
  private final Map<ServerAddress, List<ServerAddress>> known = new HashMap<>();
  private final Consumer<Map<ServerAddress, String>> problems;
  private final Map<ServerAddress, String> unresolved = new TreeMap<>(comparing(Object::toString));

  /**
   * @param problems told what each name that leads nowhere was answered with, when that changes
   */
  AddressBook(
      FleetChannels channels,
      RandomGenerator random,
      Consumer<Runnable> sessionThread,
      Consumer<Map<ServerAddress, String>> problems) {
    this.problems = problems;
    this.channels = channels;
    this.random = random;
    this.sessionThread = sessionThread;
  }

  /**
   * @param served see {@link DialOrder#of}
   * @param then gets what may be dialled, in order; before this returns when no name is among them
   */
  void find(
      List<ServerAddress> servers,
      @Nullable ServerAddress served,
      @Nullable ServerAddress lost,
      Consumer<List<Target>> then) {
    Map<ServerAddress, CompletableFuture<List<ServerAddress>>> asked = new HashMap<>();
    servers.forEach(server -> asked.computeIfAbsent(server, channels::resolve));
    var all = CompletableFuture.allOf(asked.values().toArray(CompletableFuture[]::new));
    Runnable answer =
        () -> {
          Map<ServerAddress, String> before = Map.copyOf(unresolved);
          asked.forEach(this::learn);
          if (!before.equals(unresolved)) {
            problems.accept(Map.copyOf(unresolved));
          }
          then.accept(DialOrder.of(servers, known, served, lost, random));
        };
    if (all.isDone()) {
      answer.run();
    } else {
      var _ = all.whenComplete((_, _) -> sessionThread.accept(answer));
    }
  }

  private void learn(ServerAddress server, CompletableFuture<List<ServerAddress>> asked) {
    switch (asked.state()) {
      case SUCCESS -> {
        known.put(server, asked.resultNow());
        unresolved.remove(server);
      }
      case FAILED -> {
        String answer = FleetChannels.resolversAnswer(asked.exceptionNow());
        unresolved.put(server, answer);
        log.warn("the name of {} can't be looked up: {}", server, answer);
      }
      case CANCELLED, RUNNING -> {}
    }
  }
}
