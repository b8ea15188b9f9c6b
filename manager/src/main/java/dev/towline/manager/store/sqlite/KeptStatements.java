package dev.towline.manager.store.sqlite;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jdbi.v3.core.statement.DefaultStatementBuilder;
import org.jdbi.v3.core.statement.StatementContext;

/**
 * Keeps the statements of one connection prepared: SQLite's driver forgets them, and preparing one
 * takes longer than running it. Of those not in use the ones used last are kept, up to {@value
 * #MOST}.
 *
 * <p>Lifecycle: as long as its connection, which ends the statements when it closes.
 *
 * <p>Threading: used by whoever has the connection, one at a time.
 *
 * <p>Failure: a statement that gives rows has to be run as a query. The driver leaves one that was
 * run as an update unfinished, and its transaction can't be committed.
 */
final class KeptStatements extends DefaultStatementBuilder {
  private static final int MOST = 200;

  private final Map<Statement, String> lent = new IdentityHashMap<>();
  private final LinkedHashMap<String, PreparedStatement> kept = new LinkedHashMap<>();

  @Override
  public PreparedStatement create(Connection connection, String sql, StatementContext context)
      throws SQLException {
    PreparedStatement known = context.isReturningGeneratedKeys() ? null : kept.remove(sql);
    PreparedStatement statement = known == null ? super.create(connection, sql, context) : known;
    if (!context.isReturningGeneratedKeys()) {
      lent.put(statement, sql);
    }
    return statement;
  }

  @Override
  public void close(Connection connection, String template, Statement statement)
      throws SQLException {
    String sql = lent.remove(statement);
    if (sql == null || !(statement instanceof PreparedStatement prepared)) {
      statement.close();
      return;
    }
    try {
      prepared.clearParameters();
      prepared.clearBatch();
    } catch (SQLException failed) {
      // The driver ends a statement whose execution failed.
      statement.close();
      return;
    }
    PreparedStatement twin = kept.putLast(sql, prepared);
    if (twin != null) {
      twin.close();
    }
    if (kept.size() > MOST) {
      kept.pollFirstEntry().getValue().close();
    }
  }

  int size() {
    return kept.size();
  }
}
