/** What both sides of a persistent connection share: liveness, proof of pairing, sockets. */
@NullMarked
package dev.towline.relay.link;

import org.jspecify.annotations.NullMarked;
