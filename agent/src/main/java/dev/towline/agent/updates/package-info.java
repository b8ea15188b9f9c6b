/** Keeps the components of a host up to date from the sources of its policy (U3, U4). */
@NullMarked
package dev.towline.agent.updates;

import org.jspecify.annotations.NullMarked;
