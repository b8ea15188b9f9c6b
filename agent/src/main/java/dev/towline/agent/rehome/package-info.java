/** Another way to the manager, by directive. */
@NullMarked
package dev.towline.agent.rehome;

import org.jspecify.annotations.NullMarked;
