/** The fleet's repository of content: imported, signed, published, pruned (U1, U5). */
@NullMarked
package dev.towline.manager.updates;

import org.jspecify.annotations.NullMarked;
