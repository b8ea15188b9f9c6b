/** How long to wait before trying again. */
@NullMarked
package dev.towline.runtime.backoff;

import org.jspecify.annotations.NullMarked;
