/** Operates a Towline fleet. */
@NullMarked
package dev.towline.cli;

import org.jspecify.annotations.NullMarked;
