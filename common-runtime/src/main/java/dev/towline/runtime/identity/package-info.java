/** Who is who in a fleet: names, keys, certificates, and the one place that checks them. */
@NullMarked
package dev.towline.runtime.identity;

import org.jspecify.annotations.NullMarked;
