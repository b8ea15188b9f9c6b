/** What at least two programs need at run time. */
@NullMarked
package dev.towline.runtime;

import org.jspecify.annotations.NullMarked;
