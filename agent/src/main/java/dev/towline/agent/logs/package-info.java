/**
 * What the agent logs and what is appended to configured files, on its way to the manager (H1).
 * Kept in a spool of the agent's own until the manager or a proxy has it.
 */
@NullMarked
package dev.towline.agent.logs;

import org.jspecify.annotations.NullMarked;
