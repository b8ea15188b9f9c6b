/** The directory in which a program keeps its data. */
@NullMarked
package dev.towline.runtime.data;

import org.jspecify.annotations.NullMarked;
