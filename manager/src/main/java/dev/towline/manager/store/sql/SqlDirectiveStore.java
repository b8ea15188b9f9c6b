package dev.towline.manager.store.sql;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.DirectiveStore;
import dev.towline.manager.directives.NewDirective;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SignedResult;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.PreparedBatch;

/** {@link DirectiveStore} over the tables directives and results. */
final class SqlDirectiveStore implements DirectiveStore {
  private static final String COLUMNS =
      "id, target, sequence, kind, content, created_ms, expires_ms, action, state";
  private static final String LIVE = "state in ('queued', 'delivered', 'accepted', 'running')";

  private final Handle handle;

  SqlDirectiveStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public List<QueuedDirective> addAll(List<NewDirective> directives) {
    Map<String, Long> sequences = new HashMap<>();
    Columns.inGroups(
        directives.stream().map(NewDirective::target).toList(),
        targets ->
            handle
                .createQuery(
                    "update nodes set directive_sequence = directive_sequence + 1"
                        + " where id in (<targets>) returning id, directive_sequence")
                .bindList("targets", targets)
                .map((row, _) -> Map.entry(row.getString("id"), row.getLong("directive_sequence")))
                .forEach(row -> sequences.put(row.getKey(), row.getValue())));
    PreparedBatch batch =
        handle.prepareBatch(
            """
            insert into directives (id, target, sequence, kind, content, created_ms, expires_ms,
              action, state, outcome, detail, finished_ms)
            values (:id, :target, :sequence, :kind, :content, :created, :expires, :action, :state,
              0, '', 0)
            """);
    List<QueuedDirective> queued = new ArrayList<>(directives.size());
    for (NewDirective directive : directives) {
      Long sequence = sequences.get(directive.target());
      if (sequence == null) {
        throw new IllegalArgumentException("target: " + directive.target() + " does not exist");
      }
      batch
          .bind("id", directive.id())
          .bind("target", directive.target())
          .bind("sequence", sequence)
          .bind("kind", directive.kind().getNumber())
          .bind("content", directive.content().toByteArray())
          .bind("created", directive.createdMs())
          .bind("expires", directive.expiresMs())
          .bind("action", directive.action())
          .bind("state", directive.state().label())
          .add();
      queued.add(
          new QueuedDirective(
              directive.id(),
              directive.target(),
              sequence,
              directive.kind(),
              directive.content(),
              directive.createdMs(),
              directive.expiresMs(),
              directive.action(),
              directive.state()));
    }
    if (!queued.isEmpty()) {
      batch.execute();
    }
    return queued;
  }

  @Override
  public Optional<QueuedDirective> find(String id) {
    return handle
        .createQuery("select " + COLUMNS + " from directives where id = :id")
        .bind("id", id)
        .map((row, _) -> directive(row))
        .findOne();
  }

  @Override
  public List<QueuedDirective> after(String target, long sequence, int limit) {
    return handle
        .createQuery(
            "select "
                + COLUMNS
                + " from directives where target = :target and sequence > :sequence"
                + " order by sequence limit :limit")
        .bind("target", target)
        .bind("sequence", sequence)
        .bind("limit", limit)
        .map((row, _) -> directive(row))
        .list();
  }

  @Override
  public void delivered(String target, long upToSequence) {
    handle
        .createUpdate(
            "update directives set state = 'delivered'"
                + " where target = :target and sequence <= :sequence and state = 'queued'")
        .bind("target", target)
        .bind("sequence", upToSequence)
        .execute();
  }

  @Override
  public void accepted(String target, long upToSequence) {
    handle
        .createUpdate(
            "update directives set state = 'accepted'"
                + " where target = :target and sequence <= :sequence and state = 'delivered'")
        .bind("target", target)
        .bind("sequence", upToSequence)
        .execute();
  }

  @Override
  public boolean advance(String target, long sequence, DirectiveState state, String detail) {
    return handle
            .createUpdate(
                "update directives set state = :state, detail = :detail"
                    + " where target = :target and sequence = :sequence and "
                    + LIVE)
            .bind("state", state.label())
            .bind("detail", detail)
            .bind("target", target)
            .bind("sequence", sequence)
            .execute()
        == 1;
  }

  @Override
  public boolean end(String id, DirectiveState state, Outcome outcome, String detail, long nowMs) {
    return handle
            .createUpdate(
                "update directives set state = :state, outcome = :outcome, detail = :detail,"
                    + " finished_ms = :now where id = :id and "
                    + LIVE)
            .bind("state", state.label())
            .bind("outcome", outcome.getNumber())
            .bind("detail", detail)
            .bind("now", nowMs)
            .bind("id", id)
            .execute()
        == 1;
  }

  @Override
  public List<QueuedDirective> interrupt(
      String target, long upToSequence, String detail, long nowMs) {
    return handle
        .createQuery(
            "update directives set state = 'ended', outcome = :outcome, detail = :detail,"
                + " finished_ms = :now where target = :target and sequence <= :sequence and"
                + " state in ('delivered', 'accepted', 'running') returning "
                + COLUMNS)
        .bind("outcome", Outcome.OUTCOME_INTERRUPTED.getNumber())
        .bind("detail", detail)
        .bind("now", nowMs)
        .bind("target", target)
        .bind("sequence", upToSequence)
        .map((row, _) -> directive(row))
        .list();
  }

  @Override
  public List<QueuedDirective> expire(long queuedBeforeMs, long deliveredBeforeMs, int limit) {
    return handle
        .createQuery(
            """
            update directives set state = 'expired', detail = 'was not taken up in time',
              finished_ms = expires_ms
            where id in (select id from directives
              where state = 'queued' and expires_ms < :queued
                or state = 'delivered' and expires_ms < :delivered
              limit :limit)
            returning\s\
            """
                + COLUMNS)
        .bind("queued", queuedBeforeMs)
        .bind("delivered", deliveredBeforeMs)
        .bind("limit", limit)
        .map((row, _) -> directive(row))
        .list();
  }

  @Override
  public boolean saveResult(
      String target, DirectiveResult result, SignedResult signed, long nowMs) {
    boolean isNew =
        handle
                .createUpdate(
                    "insert into results (node, epoch, record_sequence, directive, received_ms)"
                        + " values (:node, :epoch, :sequence, :directive, :now)"
                        + " on conflict (node, epoch, record_sequence) do nothing")
                .bind("node", target)
                .bind("epoch", result.getEpoch())
                .bind("sequence", result.getRecordSequence())
                .bind("directive", result.getDirectiveId())
                .bind("now", nowMs)
                .execute()
            == 1;
    if (!isNew || result.getOutcome() == Outcome.OUTCOME_SKIPPED) {
      return isNew;
    }
    handle
        .createUpdate(
            "update directives set state = 'ended', outcome = :outcome, detail = :detail,"
                + " finished_ms = :finished, result = :result, result_signature = :signature"
                + " where id = :id and target = :target and result is null")
        .bind("outcome", result.getOutcome().getNumber())
        .bind("detail", result.getDetail())
        .bind("finished", result.getFinishedMs())
        .bind("result", signed.getResult().toByteArray())
        .bind("signature", signed.getSignature().toByteArray())
        .bind("id", result.getDirectiveId())
        .bind("target", target)
        .execute();
    return true;
  }

  @Override
  public List<QueuedDirective> ofAction(String action) {
    return handle
        .createQuery("select " + COLUMNS + " from directives where action = :action order by id")
        .bind("action", action)
        .map((row, _) -> directive(row))
        .list();
  }

  private static QueuedDirective directive(ResultSet row) throws SQLException {
    DirectiveKind kind = DirectiveKind.forNumber(row.getInt("kind"));
    return new QueuedDirective(
        row.getString("id"),
        row.getString("target"),
        row.getLong("sequence"),
        kind == null ? DirectiveKind.DIRECTIVE_KIND_UNSPECIFIED : kind,
        ByteString.copyFrom(row.getBytes("content")),
        row.getLong("created_ms"),
        row.getLong("expires_ms"),
        row.getString("action"),
        DirectiveState.ofLabel(row.getString("state")));
  }
}
