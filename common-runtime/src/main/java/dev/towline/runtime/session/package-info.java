/**
 * The node's side of a session with the manager, shared by agent, proxy and relay: rules without
 * sockets, the durable state behind them, and the transport that carries them.
 */
@NullMarked
package dev.towline.runtime.session;

import org.jspecify.annotations.NullMarked;
