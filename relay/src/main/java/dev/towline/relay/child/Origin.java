package dev.towline.relay.child;

import java.util.List;

/**
 * Where a connection that came to a listener really comes from.
 *
 * @param source host:port, as the outermost child saw it
 * @param hops relay ids from the outermost child to this one
 */
public record Origin(String source, List<String> hops) {
  public Origin {
    hops = List.copyOf(hops);
  }
}
