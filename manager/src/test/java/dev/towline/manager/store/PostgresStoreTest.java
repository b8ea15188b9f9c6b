package dev.towline.manager.store;

import dev.towline.manager.store.postgres.PostgresDatabase;
import dev.towline.testing.FreePorts;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** The contract on a real PostgreSQL. */
final class PostgresStoreTest extends StoreContract {
  private static EmbeddedPostgres postgres;
  private static int databases;

  @BeforeAll
  static void startPostgres() throws Exception {
    postgres =
        EmbeddedPostgres.builder()
            // Its own would be one of those of outgoing connections, its usual patience 10 s.
            .setPort(FreePorts.next())
            .setPGStartupWait(Duration.ofMinutes(3))
            .start();
  }

  @AfterAll
  static void stopPostgres() throws Exception {
    postgres.close();
  }

  @Override
  Store open() throws Exception {
    String name = "store" + databases++;
    try (Connection connection = postgres.getPostgresDatabase().getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute("create database " + name);
    }
    return PostgresDatabase.open(postgres.getJdbcUrl("postgres", name));
  }
}
