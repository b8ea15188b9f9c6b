/** TLS between a fleet's members, and who may call what. */
@NullMarked
package dev.towline.runtime.tls;

import org.jspecify.annotations.NullMarked;
