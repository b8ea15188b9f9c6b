/** Dials hosts that listen: those that dial nobody, and others that were lost (D1, D2). */
@NullMarked
package dev.towline.manager.dialling;

import org.jspecify.annotations.NullMarked;
