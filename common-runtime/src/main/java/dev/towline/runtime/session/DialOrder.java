package dev.towline.runtime.session;

import dev.towline.runtime.tls.ServerAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * In which order the addresses behind a list of servers are dialled. Servers are tried in their
 * order, the one that served last first; the addresses of one name in a random order, so that many
 * clients of one name spread over all of them (P2).
 */
final class DialOrder {
  private DialOrder() {}

  /**
   * Where a link leads.
   *
   * @param named as it was configured
   * @param dialled one of the addresses behind it
   */
  record Target(ServerAddress named, ServerAddress dialled) {}

  /**
   * @param addresses behind each name; a name without any is left out
   * @param served the server whose session was lost; its name comes first
   * @param lost the address that was lost; comes last of its name
   */
  static List<Target> of(
      List<ServerAddress> servers,
      Map<ServerAddress, List<ServerAddress>> addresses,
      @Nullable ServerAddress served,
      @Nullable ServerAddress lost,
      RandomGenerator random) {
    List<ServerAddress> names = new ArrayList<>(servers);
    if (served != null && names.remove(served)) {
      names.addFirst(served);
    }
    List<Target> targets = new ArrayList<>();
    for (ServerAddress name : names) {
      List<ServerAddress> behind = new ArrayList<>(addresses.getOrDefault(name, List.of()));
      Collections.shuffle(behind, java.util.Random.from(random));
      if (lost != null && behind.remove(lost)) {
        behind.addLast(lost);
      }
      behind.forEach(address -> targets.add(new Target(name, address)));
    }
    return List.copyOf(targets);
  }
}
