/** What belongs to the fleet: hosts, proxies and relays, and what the manager knows of each. */
@NullMarked
package dev.towline.manager.nodes;

import org.jspecify.annotations.NullMarked;
