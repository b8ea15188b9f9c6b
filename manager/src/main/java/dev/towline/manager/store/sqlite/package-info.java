/** Opens the embedded database. */
@NullMarked
package dev.towline.manager.store.sqlite;

import org.jspecify.annotations.NullMarked;
