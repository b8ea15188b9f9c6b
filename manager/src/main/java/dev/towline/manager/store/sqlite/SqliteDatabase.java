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
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;
import java.util.Set;
import org.jdbi.v3.core.ConnectionException;
import org.jdbi.v3.core.Jdbi;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
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
  private static final Logger log = LoggerFactory.getLogger(SqliteDatabase.class);
  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rw-------");
  private static final int READERS = 4;
  private static final int BUSY_TIMEOUT_MS = 10_000;

  private SqliteDatabase() {}

  /**
   * @throws UncheckedIOException when the file can't be made
   * @throws ConnectionException when it can't be opened
   */
  public static SqlStore open(Path file) {
    makePrivate(file);
    SQLiteDataSource writing = source(file, TransactionMode.IMMEDIATE);
    Migrations.run(writing, Map.of("bytes", "blob", "identity", "integer primary key"));
    Connection writer = connect(writing);
    HikariDataSource readers = pool(source(file, TransactionMode.DEFERRED));
    return new SqlStore(
            keepingStatements(writer),
            Jdbi.create(readers),
            () -> {
              readers.close();
              close(writer);
            })
        .start();
  }

  private static Jdbi keepingStatements(Connection writer) {
    KeptStatements statements = new KeptStatements();
    return Jdbi.create(writer).setStatementBuilderFactory(_ -> statements);
  }

  private static Connection connect(SQLiteDataSource source) {
    try {
      return source.getConnection();
    } catch (SQLException e) {
      throw new ConnectionException(e);
    }
  }

  private static void close(Connection connection) {
    try {
      connection.close();
    } catch (SQLException e) {
      log.warn("closing the database failed; what was committed is in it", e);
    }
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

  private static SQLiteDataSource source(Path file, TransactionMode transactions) {
    SQLiteConfig sqlite = new SQLiteConfig();
    sqlite.setJournalMode(JournalMode.WAL);
    sqlite.setSynchronous(SynchronousMode.FULL);
    sqlite.setTransactionMode(transactions);
    sqlite.setBusyTimeout(BUSY_TIMEOUT_MS);
    sqlite.enforceForeignKeys(true);
    SQLiteDataSource source = new SQLiteDataSource(sqlite);
    source.setUrl("jdbc:sqlite:" + file);
    return source;
  }

  private static HikariDataSource pool(SQLiteDataSource source) {
    HikariConfig config = new HikariConfig();
    config.setPoolName("store-read");
    config.setDataSource(source);
    config.setMaximumPoolSize(READERS);
    config.setMinimumIdle(READERS);
    return new HikariDataSource(config);
  }
}
