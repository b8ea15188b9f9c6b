/** Sessions that arrive through a proxy. */
@NullMarked
package dev.towline.manager.uplink;

import org.jspecify.annotations.NullMarked;
