/** The gRPC edge for agents, proxies and relays: transports in, sessions and attempts out. */
@NullMarked
package dev.towline.manager.grpc;

import org.jspecify.annotations.NullMarked;
