/** Runs the programs that a manager's directive names, within their limits. */
@NullMarked
package dev.towline.agent.actions;

import org.jspecify.annotations.NullMarked;
