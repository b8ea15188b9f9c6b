/** Opens a PostgreSQL database. */
@NullMarked
package dev.towline.manager.store.postgres;

import org.jspecify.annotations.NullMarked;
