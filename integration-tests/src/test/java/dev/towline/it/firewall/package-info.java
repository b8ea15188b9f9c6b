/** The host firewall on a NAT gateway in containers. */
@NullMarked
package dev.towline.it.firewall;

import org.jspecify.annotations.NullMarked;
