/** Where a program's settings come from. */
@NullMarked
package dev.towline.runtime.config;

import org.jspecify.annotations.NullMarked;
