/** What hosts log: taken once, kept for a while, listed. */
@NullMarked
package dev.towline.manager.logs;

import org.jspecify.annotations.NullMarked;
