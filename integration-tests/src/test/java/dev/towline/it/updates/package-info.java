/** Updates with real programs and with servers that are not ours. */
@NullMarked
package dev.towline.it.updates;

import org.jspecify.annotations.NullMarked;
