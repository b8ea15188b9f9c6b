/**
 * Update repositories that nobody on the way can change: TUF metadata, and the client that believes
 * nothing else (U5).
 */
@NullMarked
package dev.towline.runtime.updates;

import org.jspecify.annotations.NullMarked;
