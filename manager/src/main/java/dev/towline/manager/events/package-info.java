/** Named things that happened and that somebody may ask about later. */
@NullMarked
package dev.towline.manager.events;

import org.jspecify.annotations.NullMarked;
