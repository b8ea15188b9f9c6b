/** Logs, metrics and what a program says about itself. */
@NullMarked
package dev.towline.runtime.telemetry;

import org.jspecify.annotations.NullMarked;
