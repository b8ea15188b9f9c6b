/** Signed orders of the manager: what makes one valid for its receiver. */
@NullMarked
package dev.towline.runtime.directive;

import org.jspecify.annotations.NullMarked;
