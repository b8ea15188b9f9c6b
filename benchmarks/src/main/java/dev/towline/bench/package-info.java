/** Load generator, JMH and comparisons with peers. */
@NullMarked
package dev.towline.bench;

import org.jspecify.annotations.NullMarked;
