/** What the operator sees: tables, JSON, YAML, times and durations. */
@NullMarked
package dev.towline.cli.output;

import org.jspecify.annotations.NullMarked;
