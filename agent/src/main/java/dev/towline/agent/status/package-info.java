/** What the agent shows on its own host. */
@NullMarked
package dev.towline.agent.status;

import org.jspecify.annotations.NullMarked;
