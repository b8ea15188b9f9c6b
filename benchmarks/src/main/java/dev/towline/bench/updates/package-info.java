/** How updates are served, beside nginx, and mirrored. */
@NullMarked
package dev.towline.bench.updates;

import org.jspecify.annotations.NullMarked;
