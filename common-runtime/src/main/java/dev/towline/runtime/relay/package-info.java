/** What relays and their manager have to agree on beside the wire. */
@NullMarked
package dev.towline.runtime.relay;

import org.jspecify.annotations.NullMarked;
