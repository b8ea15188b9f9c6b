/** How failures are named and told to people: a stable code, what happened, why, what to do. */
@NullMarked
package dev.towline.runtime.error;

import org.jspecify.annotations.NullMarked;
