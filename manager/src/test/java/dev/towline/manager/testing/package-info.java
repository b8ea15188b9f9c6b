/** Peers and clocks for the manager's tests. */
@NullMarked
package dev.towline.manager.testing;

import org.jspecify.annotations.NullMarked;
