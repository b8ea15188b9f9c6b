/** Relay pairs: who dials whom, and what lies below. */
@NullMarked
package dev.towline.manager.relays;

import org.jspecify.annotations.NullMarked;
