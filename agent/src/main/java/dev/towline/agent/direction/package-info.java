/** Who dials whom: what the agent listens on, and how it changes from one direction to another. */
@NullMarked
package dev.towline.agent.direction;

import org.jspecify.annotations.NullMarked;
