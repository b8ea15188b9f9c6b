/**
 * The way upstream: many agents' sessions over a few connections to a manager. {@link
 * dev.towline.proxy.uplink.UplinkMux} holds the rules and knows no sockets.
 */
@NullMarked
package dev.towline.proxy.uplink;

import org.jspecify.annotations.NullMarked;
