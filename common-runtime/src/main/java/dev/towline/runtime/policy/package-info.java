/** What manager and agent both know of policies. */
@NullMarked
package dev.towline.runtime.policy;

import org.jspecify.annotations.NullMarked;
