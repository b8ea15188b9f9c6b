/** What an operator sees of a relay, and the liveness of its connections. */
@NullMarked
package dev.towline.relay.status;

import org.jspecify.annotations.NullMarked;
