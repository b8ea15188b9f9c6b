/**
 * The hostile middle: a stolen proxy and a lying relay between real agents and a real manager, over
 * real sockets. Nothing they do may take effect, and each thing they do leaves a named event.
 */
@NullMarked
package dev.towline.it.hostile;

import org.jspecify.annotations.NullMarked;
