/**
 * How a program becomes a member of its fleet: with the token of an install command, or, after its
 * certificate has expired, with the key that it enrolled.
 */
@NullMarked
package dev.towline.runtime.enroll;

import org.jspecify.annotations.NullMarked;
