/** Figures by command: {@code bin/bench NAME} runs one class of this package. */
@NullMarked
package dev.towline.bench;

import org.jspecify.annotations.NullMarked;
