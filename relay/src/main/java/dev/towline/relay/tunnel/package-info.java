/**
 * One tunnelled TCP connection: its protocol without sockets, its form on the wire, and the pump
 * that moves bytes between a socket and a gRPC stream.
 */
@NullMarked
package dev.towline.relay.tunnel;

import org.jspecify.annotations.NullMarked;
