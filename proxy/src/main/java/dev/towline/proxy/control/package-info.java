/** Draining and stopping, by directive or on the host. */
@NullMarked
package dev.towline.proxy.control;

import org.jspecify.annotations.NullMarked;
