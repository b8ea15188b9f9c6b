/** The Towline agent of this host. */
@NullMarked
package dev.towline.agent;

import org.jspecify.annotations.NullMarked;
