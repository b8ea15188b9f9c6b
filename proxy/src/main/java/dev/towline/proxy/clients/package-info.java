/** The agents' side: their streams end here, what they say is passed on sealed. */
@NullMarked
package dev.towline.proxy.clients;

import org.jspecify.annotations.NullMarked;
