/** What firewall rules mean: the model, the order in which they act, and their text for nft. */
@NullMarked
package dev.towline.runtime.firewall;

import org.jspecify.annotations.NullMarked;
