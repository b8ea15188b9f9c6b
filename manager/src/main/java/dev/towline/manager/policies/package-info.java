/** Policies: what hosts and the manager go by, inherited from base over sub-policies to hosts. */
@NullMarked
package dev.towline.manager.policies;

import org.jspecify.annotations.NullMarked;
