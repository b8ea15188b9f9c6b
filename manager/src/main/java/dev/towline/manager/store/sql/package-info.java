/** The one SQL implementation of the stores, for every database. */
@NullMarked
package dev.towline.manager.store.sql;

import org.jspecify.annotations.NullMarked;
