/** What this host says with its heartbeats, and when it says goodbye. */
@NullMarked
package dev.towline.agent.heartbeat;

import org.jspecify.annotations.NullMarked;
