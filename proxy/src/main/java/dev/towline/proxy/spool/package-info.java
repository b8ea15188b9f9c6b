/**
 * What a proxy keeps of its agents while it can't be sent on, and how fast and where it goes (P7,
 * P8).
 */
@NullMarked
package dev.towline.proxy.spool;

import org.jspecify.annotations.NullMarked;
