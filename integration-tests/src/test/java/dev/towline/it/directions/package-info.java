/** Who dials whom, with real programs. */
@NullMarked
package dev.towline.it.directions;

import org.jspecify.annotations.NullMarked;
