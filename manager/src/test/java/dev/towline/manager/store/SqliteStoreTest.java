package dev.towline.manager.store;

import dev.towline.manager.store.sqlite.SqliteDatabase;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** The contract on the embedded database. */
final class SqliteStoreTest extends StoreContract {
  @TempDir Path directory;

  @Override
  Store open() {
    return SqliteDatabase.open(directory.resolve("manager.db"));
  }
}
