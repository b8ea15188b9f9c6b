package dev.towline.runtime.session;

import dev.towline.runtime.session.DialOrder.Target;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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

  AddressBook(FleetChannels channels, RandomGenerator random, Consumer<Runnable> sessionThread) {
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
          asked.forEach(this::learn);
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
      case SUCCESS -> known.put(server, asked.resultNow());
      case FAILED ->
          log.warn(
              "the name of {} can't be looked up: {}", server, asked.exceptionNow().toString());
      case CANCELLED, RUNNING -> {}
    }
  }
}
