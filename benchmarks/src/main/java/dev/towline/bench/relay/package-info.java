/**
 * What a pair of relays costs beside other ways through a firewall: load, peers and the delaying
 * proxy, each a process of its own.
 */
@NullMarked
package dev.towline.bench.relay;

import org.jspecify.annotations.NullMarked;
