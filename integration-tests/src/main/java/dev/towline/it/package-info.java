/** Topologies, an in-process fleet and the rules of the architecture. */
@NullMarked
package dev.towline.it;

import org.jspecify.annotations.NullMarked;
