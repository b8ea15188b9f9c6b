/**
 * A real fleet on one machine: every program a process of its own, each on its own loopback
 * address. The demonstration, the figures and the tests that kill programs are built on it.
 */
@NullMarked
package dev.towline.it.fleet;

import org.jspecify.annotations.NullMarked;
