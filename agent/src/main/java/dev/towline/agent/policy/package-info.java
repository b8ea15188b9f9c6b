/** The policy that this host goes by. */
@NullMarked
package dev.towline.agent.policy;

import org.jspecify.annotations.NullMarked;
