/** What the features keep: transactions over the features' own store interfaces. */
@NullMarked
package dev.towline.manager.store;

import org.jspecify.annotations.NullMarked;
