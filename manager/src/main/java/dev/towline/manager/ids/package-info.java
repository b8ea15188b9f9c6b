/** New names. */
@NullMarked
package dev.towline.manager.ids;

import org.jspecify.annotations.NullMarked;
