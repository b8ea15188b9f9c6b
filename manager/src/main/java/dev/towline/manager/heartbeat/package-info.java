/** Heartbeats: what hosts said with them, which ones are missing, and whose clock was set. */
@NullMarked
package dev.towline.manager.heartbeat;

import org.jspecify.annotations.NullMarked;
