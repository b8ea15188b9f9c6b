package dev.towline.manager.store.sqlite;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.towline.manager.store.sql.Migrations;
import dev.towline.manager.store.sql.SqlStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Set;
import org.jdbi.v3.core.Jdbi;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteConfig.JournalMode;
import org.sqlite.SQLiteConfig.SynchronousMode;
import org.sqlite.SQLiteConfig.TransactionMode;
import org.sqlite.SQLiteDataSource;

/**
 * Opens the embedded database: write-ahead log, every commit on disk, one writing connection and a
 * few reading ones.
 */
public final class SqliteDatabase {
  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rw-------");
  private static final int READERS = 4;
  private static final int BUSY_TIMEOUT_MS = 10_000;

  private SqliteDatabase() {}

  /**
   * @throws UncheckedIOException when the file can't be made
   */
  public static SqlStore open(Path file) {
    makePrivate(file);
    HikariDataSource writer = pool(file, "store-write", 1, false);
    Migrations.run(writer, Map.of("bytes", "blob", "identity", "integer primary key"));
    HikariDataSource readers = pool(file, "store-read", READERS, true);
    return new SqlStore(
            Jdbi.create(writer),
            Jdbi.create(readers),
            () -> {
              readers.close();
              writer.close();
            })
        .start();
  }

  /** It holds secrets; the log files beside it take over its permissions. */
  private static void makePrivate(Path file) {
    try {
      if (!Files.exists(file)) {
        Files.createFile(file, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("failed to create the database " + file, e);
    }
  }

  private static HikariDataSource pool(Path file, String name, int size, boolean readOnly) {
    SQLiteConfig sqlite = new SQLiteConfig();
    sqlite.setJournalMode(JournalMode.WAL);
    sqlite.setSynchronous(SynchronousMode.FULL);
    sqlite.setTransactionMode(TransactionMode.IMMEDIATE);
    sqlite.setBusyTimeout(BUSY_TIMEOUT_MS);
    sqlite.enforceForeignKeys(true);
    if (readOnly) {
      sqlite.setPragma(SQLiteConfig.Pragma.TRANSACTION_MODE, TransactionMode.DEFERRED.name());
    }
    SQLiteDataSource source = new SQLiteDataSource(sqlite);
    source.setUrl("jdbc:sqlite:" + file);
    HikariConfig config = new HikariConfig();
    config.setPoolName(name);
    config.setDataSource(source);
    config.setMaximumPoolSize(size);
    config.setMinimumIdle(size);
    return new HikariDataSource(config);
  }
}
