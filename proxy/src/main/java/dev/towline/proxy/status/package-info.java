/** What a proxy says about itself on its own host. */
@NullMarked
package dev.towline.proxy.status;

import org.jspecify.annotations.NullMarked;
