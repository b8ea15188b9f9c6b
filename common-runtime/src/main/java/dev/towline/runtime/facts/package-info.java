/** What a host says about itself when it enrolls and when a session begins: claims, no proof. */
@NullMarked
package dev.towline.runtime.facts;

import org.jspecify.annotations.NullMarked;
