/** Load for the figures of how agents and manager talk: processes of their own. */
@NullMarked
package dev.towline.bench.communication;

import org.jspecify.annotations.NullMarked;
