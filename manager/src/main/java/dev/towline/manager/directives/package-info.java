/** What the manager orders: one queue per target, signed at delivery. */
@NullMarked
package dev.towline.manager.directives;

import org.jspecify.annotations.NullMarked;
