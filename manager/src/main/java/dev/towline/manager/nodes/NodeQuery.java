package dev.towline.manager.nodes;

import dev.towline.runtime.identity.Role;

/**
 * A page of nodes in order of name and id.
 *
 * @param afterName empty to start at the beginning
 * @param limit most rows to give; 0 is no limit
 */
public record NodeQuery(Role role, Selector selector, String afterName, String afterId, int limit) {
  public static NodeQuery all(Role role, Selector selector) {
    return new NodeQuery(role, selector, "", "", 0);
  }
}
