/** One of a pair across a firewall that lets nothing in. */
@NullMarked
package dev.towline.relay;

import org.jspecify.annotations.NullMarked;
