/** How hosts reach this manager, hop by hop. */
@NullMarked
package dev.towline.manager.paths;

import org.jspecify.annotations.NullMarked;
