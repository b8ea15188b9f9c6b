/** What tests share. */
@NullMarked
package dev.towline.testing;

import org.jspecify.annotations.NullMarked;
