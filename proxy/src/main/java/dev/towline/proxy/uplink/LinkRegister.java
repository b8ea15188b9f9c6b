package dev.towline.proxy.uplink;

import java.util.ArrayList;
import java.util.List;

/** The connected agents, at eight bytes each beside the links themselves. Not thread-safe. */
final class LinkRegister {
  private final List<AgentLink> links = new ArrayList<>();

  void add(AgentLink link) {
    link.place = links.size();
    links.add(link);
  }

  /** The last one takes the place of the removed one. */
  void remove(AgentLink link) {
    AgentLink last = links.removeLast();
    if (last != link) {
      links.set(link.place, last);
      last.place = link.place;
    }
  }

  int size() {
    return links.size();
  }

  /** A copy: whoever goes through it may end links. */
  List<AgentLink> all() {
    return List.copyOf(links);
  }
}
