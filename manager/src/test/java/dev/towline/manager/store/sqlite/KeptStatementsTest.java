package dev.towline.manager.store.sqlite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.statement.UnableToExecuteStatementException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KeptStatementsTest {
  @TempDir Path directory;

  private final KeptStatements statements = new KeptStatements();
  private Connection connection;
  private Handle handle;

  @BeforeEach
  void open() throws SQLException {
    connection = connect();
    try (var pragma = connection.createStatement()) {
      pragma.execute("pragma journal_mode=wal");
    }
    handle = Jdbi.create(connection).setStatementBuilderFactory(_ -> statements).open();
    handle.execute("create table item (id integer primary key, name text)");
  }

  @AfterEach
  void close() throws SQLException {
    handle.close();
    connection.close();
  }

  @Test
  void create_afterTheSameTextWasClosed_givesTheSameStatement() throws SQLException {
    PreparedStatement first = prepare("select 1");
    statements.close(connection, "select 1", first);
    assertSame(first, prepare("select 1"));
  }

  @Test
  void create_whileTheSameTextIsInUse_givesAnother() throws SQLException {
    PreparedStatement first = prepare("select 1");
    PreparedStatement second = prepare("select 1");
    assertNotSame(first, second);
    statements.close(connection, "select 1", first);
    statements.close(connection, "select 1", second);
    assertTrue(first.isClosed(), "one of a text is kept");
    assertFalse(second.isClosed());
  }

  @Test
  void close_ofMoreTextsThanAreKept_endsTheOneUsedLongestAgo() throws SQLException {
    PreparedStatement first = prepare("select -1");
    statements.close(connection, "select -1", first);
    for (int i = 0; !first.isClosed(); i++) {
      assertTrue(i < 1000, "statements without end");
      String sql = "select " + i;
      statements.close(connection, sql, prepare(sql));
    }
    assertTrue(statements.size() > 100);
  }

  @Test
  void bind_aStatementUsedBefore_nothingOfItsValuesIsLeft() {
    String insert = "insert into item (id, name) values (:id, :name)";
    handle.createUpdate(insert).bind("id", 1).bind("name", "one").execute();
    handle.createUpdate(insert).bind("id", 2).bindByType("name", null, String.class).execute();
    assertEquals(
        Optional.empty(),
        handle
            .createQuery("select name from item where id = 2 and name is not null")
            .mapTo(String.class)
            .findOne());
  }

  @Test
  void execute_afterOneThatFailed_works() {
    String insert = "insert into item (id, name) values (?, 'one')";
    assertEquals(1, handle.execute(insert, 1));
    assertThrows(UnableToExecuteStatementException.class, () -> handle.execute(insert, 1));
    assertEquals(1, handle.execute(insert, 2));
  }

  @Test
  void query_notReadToItsEnd_leavesTheLogFreeToBeEmptied() throws SQLException {
    for (int id = 1; id <= 3; id++) {
      handle.execute("insert into item (id, name) values (?, ?)", id, "item " + id);
    }
    assertEquals(
        Optional.of(1),
        handle.inTransaction(tx ->
            tx.createQuery("select id from item order by id").mapTo(Integer.class).findFirst()));
    handle.execute("insert into item (id, name) values (4, 'item 4')");
    try (Connection other = connect();
        var result = other.createStatement().executeQuery("pragma wal_checkpoint(truncate)")) {
      assertTrue(result.next());
      assertEquals(0, result.getInt(1), "a reader holds on to the log");
    }
  }

  private PreparedStatement prepare(String sql) throws SQLException {
    return statements.create(connection, sql, handle.createQuery(sql).getContext());
  }

  private Connection connect() throws SQLException {
    return DriverManager.getConnection("jdbc:sqlite:" + directory.resolve("store.db"));
  }
}
