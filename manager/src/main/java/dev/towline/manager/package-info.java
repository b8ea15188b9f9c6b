/** The control plane of a Towline fleet. */
@NullMarked
package dev.towline.manager;

import org.jspecify.annotations.NullMarked;
