/**
 * TLS without sockets: the connection between agent and manager that travels inside the frames of a
 * proxy, which can delay or cut it and neither read nor change it.
 */
@NullMarked
package dev.towline.runtime.sealed;

import org.jspecify.annotations.NullMarked;
