/** The host firewall: own nftables tables only, every change confirmed or taken back (F1-F6). */
@NullMarked
package dev.towline.agent.firewall;

import org.jspecify.annotations.NullMarked;
