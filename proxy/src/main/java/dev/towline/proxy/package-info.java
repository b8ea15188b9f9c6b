/** Carries agents that cannot reach the manager. */
@NullMarked
package dev.towline.proxy;

import org.jspecify.annotations.NullMarked;
