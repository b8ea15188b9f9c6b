/** How a host, proxy or relay becomes a member: tokens, proofs, certificates. */
@NullMarked
package dev.towline.manager.enrollment;

import org.jspecify.annotations.NullMarked;
