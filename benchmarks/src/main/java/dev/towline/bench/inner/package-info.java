/** What the connection between agent and manager inside a proxy's frames costs, by kind. */
@NullMarked
package dev.towline.bench.inner;

import org.jspecify.annotations.NullMarked;
