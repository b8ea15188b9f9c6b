package dev.towline.manager.store.sql;

import dev.towline.manager.actions.ActionStore;
import dev.towline.manager.actions.StoredAction;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.TargetState;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.Query;

/** {@link ActionStore} over the tables actions and directives. */
final class SqlActionStore implements ActionStore {
  private static final String TARGETS =
      """
      select d.id, d.target, d.state, d.outcome, d.detail, d.finished_ms, d.result, n.name
      from directives d join nodes n on n.id = d.target
      """;
  private static final int CANCEL = DirectiveKind.DIRECTIVE_KIND_CANCEL_ACTION_VALUE;

  private final Handle handle;

  SqlActionStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void create(StoredAction action) {
    handle
        .createUpdate(
            """
            insert into actions (id, selector, no_op, run, created_by, created_ms, expires_ms,
              idempotency_key, title)
            values (:id, :selector, :noOp, :run, :by, :created, :expires, :key, :title)
            """)
        .bind("id", action.id())
        .bind("selector", action.selector())
        .bind("noOp", action.noOp())
        .bind("run", action.run().toByteArray())
        .bind("by", action.createdBy())
        .bind("created", action.createdMs())
        .bind("expires", action.expiresMs())
        .bind("key", action.idempotencyKey().isEmpty() ? null : action.idempotencyKey())
        .bind("title", action.title())
        .execute();
  }

  @Override
  public Optional<StoredAction> find(String id) {
    return handle
        .createQuery("select * from actions where id = :id")
        .bind("id", id)
        .map((row, _) -> action(row))
        .findOne();
  }

  @Override
  public Optional<StoredAction> withKey(String idempotencyKey) {
    return handle
        .createQuery("select * from actions where idempotency_key = :key")
        .bind("key", idempotencyKey)
        .map((row, _) -> action(row))
        .findOne();
  }

  @Override
  public List<StoredAction> list(String beforeId, int limit) {
    String where =
        beforeId.isEmpty()
            ? ""
            : " where (created_ms, id) < (select created_ms, id from actions where id = :before)";
    Query query =
        handle.createQuery(
            "select * from actions" + where + " order by created_ms desc, id desc limit :limit");
    if (!beforeId.isEmpty()) {
      query.bind("before", beforeId);
    }
    return query.bind("limit", limit).map((row, _) -> action(row)).list();
  }

  @Override
  public List<ActionTarget> targets(String action, boolean withOutput) {
    return handle
        .createQuery(
            TARGETS + " where d.action = :action and d.kind <> :cancel order by n.name, n.id")
        .bind("action", action)
        .bind("cancel", CANCEL)
        .map((row, _) -> target(row, withOutput))
        .list();
  }

  @Override
  public Optional<ActionTarget> target(String directive) {
    return handle
        .createQuery(TARGETS + " where d.id = :id and d.action <> '' and d.kind <> :cancel")
        .bind("id", directive)
        .bind("cancel", CANCEL)
        .map((row, _) -> target(row, true))
        .findOne();
  }

  @Override
  public boolean ended(String action) {
    return handle
            .createQuery(
                "select count(*) from directives where action = :action and kind <> :cancel"
                    + " and state in ('queued', 'delivered', 'accepted', 'running')")
            .bind("action", action)
            .bind("cancel", CANCEL)
            .mapTo(Integer.class)
            .one()
        == 0;
  }

  private static StoredAction action(ResultSet row) throws SQLException {
    String key = row.getString("idempotency_key");
    return new StoredAction(
        row.getString("id"),
        row.getString("selector"),
        row.getBoolean("no_op"),
        Columns.message(row, "run", RunAction.parser()),
        row.getString("created_by"),
        row.getLong("created_ms"),
        row.getLong("expires_ms"),
        key == null ? "" : key,
        row.getString("title"));
  }

  private static ActionTarget target(ResultSet row, boolean withOutput) throws SQLException {
    ActionTarget.Builder target =
        ActionTarget.newBuilder()
            .setDirectiveId(row.getString("id"))
            .setHostId(row.getString("target"))
            .setHostName(row.getString("name"))
            .setState(state(DirectiveState.ofLabel(row.getString("state"))))
            .setOutcomeValue(row.getInt("outcome"))
            .setDetail(row.getString("detail"))
            .setFinishedMs(row.getLong("finished_ms"));
    if (row.getBytes("result") != null) {
      DirectiveResult result = Columns.message(row, "result", DirectiveResult.parser());
      target
          .setExitStatus(result.getExitStatus())
          .setOutputTruncated(result.getOutputTruncated())
          .setStartedMs(result.getStartedMs());
      if (withOutput) {
        target.setOutput(result.getOutput());
      }
    }
    return target.build();
  }

  private static TargetState state(DirectiveState state) {
    return switch (state) {
      case QUEUED -> TargetState.TARGET_STATE_PENDING;
      case DELIVERED -> TargetState.TARGET_STATE_DELIVERED;
      case ACCEPTED -> TargetState.TARGET_STATE_ACCEPTED;
      case RUNNING -> TargetState.TARGET_STATE_RUNNING;
      case ENDED -> TargetState.TARGET_STATE_ENDED;
      case REFUSED -> TargetState.TARGET_STATE_REFUSED;
      case EXPIRED -> TargetState.TARGET_STATE_EXPIRED;
    };
  }
}
