/**
 * The dialling side of a pair: keeps persistent connections to its children and reaches what their
 * tunnels are for.
 */
@NullMarked
package dev.towline.relay.parent;

import org.jspecify.annotations.NullMarked;
