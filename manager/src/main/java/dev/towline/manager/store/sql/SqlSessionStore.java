package dev.towline.manager.store.sql;

import dev.towline.manager.nodes.Presence;
import dev.towline.manager.session.SessionStore;
import dev.towline.proto.v1.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.statement.PreparedBatch;

/** {@link SessionStore} over the table nodes. */
final class SqlSessionStore implements SessionStore {
  private final Handle handle;

  SqlSessionStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public Optional<NodeState> find(String node) {
    return handle
        .createQuery(
            """
            select generation, confirmed_generation, boot_id, epoch, last_accepted, directive_sequence,
              (select coalesce(max(sequence), 0) from directives
               where target = nodes.id and state <> 'queued') as last_delivered
            from nodes where id = :id
            """)
        .bind("id", node)
        .map((row, _) ->
            new NodeState(
                row.getLong("generation"),
                row.getLong("confirmed_generation"),
                row.getString("boot_id"),
                row.getLong("epoch"),
                row.getLong("last_accepted"),
                row.getLong("last_delivered"),
                row.getLong("directive_sequence")))
        .findOne();
  }

  @Override
  public long open(Opening opening) {
    return handle
        .createQuery(
            """
            update nodes set generation = generation + 1, presence = 'online', manager = :manager,
              boot_id = :boot, epoch = :epoch, last_accepted = :accepted,
              confirmed_generation = :confirmed, path = :path, tls_protocol = :protocol,
              tls_cipher_suite = :suite, last_seen_ms = :now,
              directive_sequence = case when directive_sequence < :accepted then :accepted
                else directive_sequence end
            where id = :id
            returning generation
            """)
        .bind("manager", opening.manager())
        .bind("boot", opening.bootId())
        .bind("epoch", opening.epoch())
        .bind("accepted", opening.lastAccepted())
        .bind("confirmed", opening.confirmedGeneration())
        .bind("path", opening.path().toByteArray())
        .bind("protocol", opening.tlsProtocol())
        .bind("suite", opening.tlsCipherSuite())
        .bind("now", opening.nowMs())
        .bind("id", opening.node())
        .mapTo(Long.class)
        .one();
  }

  @Override
  public boolean isCurrent(String node, long generation) {
    return handle
        .createQuery("select 1 from nodes where id = :id and generation = :generation")
        .bind("id", node)
        .bind("generation", generation)
        .mapTo(Integer.class)
        .findOne()
        .isPresent();
  }

  @Override
  public void forgetGeneration(String node) {
    handle
        .createUpdate("update nodes set confirmed_generation = 0, quarantine = '' where id = :id")
        .bind("id", node)
        .execute();
  }

  @Override
  public boolean confirm(String node, long generation) {
    return handle
            .createUpdate(
                "update nodes set confirmed_generation = :generation"
                    + " where id = :id and generation = :generation")
            .bind("id", node)
            .bind("generation", generation)
            .execute()
        == 1;
  }

  @Override
  public void seen(Collection<Seen> signs) {
    if (signs.isEmpty()) {
      return;
    }
    PreparedBatch batch =
        handle.prepareBatch(
            "update nodes set last_seen_ms = :time where id = :id and generation = :generation"
                + " and last_seen_ms < :time");
    for (Seen seen : signs) {
      batch
          .bind("time", seen.timeMs())
          .bind("id", seen.node())
          .bind("generation", seen.generation())
          .add();
    }
    batch.execute();
  }

  @Override
  public boolean end(String node, long generation, Presence presence, long nowMs) {
    return handle
            .createUpdate(
                "update nodes set presence = :presence, last_seen_ms = :now"
                    + " where id = :id and generation = :generation")
            .bind("presence", presence.label())
            .bind("now", nowMs)
            .bind("id", node)
            .bind("generation", generation)
            .execute()
        == 1;
  }

  @Override
  public boolean accepted(String node, long generation, long sequence) {
    return handle
            .createUpdate(
                "update nodes set last_accepted = :sequence"
                    + " where id = :id and generation = :generation and last_accepted < :sequence"
                    + " and directive_sequence >= :sequence")
            .bind("id", node)
            .bind("generation", generation)
            .bind("sequence", sequence)
            .execute()
        == 1;
  }

  @Override
  public void path(String node, long generation, Path path) {
    handle
        .createUpdate("update nodes set path = :path where id = :id and generation = :generation")
        .bind("path", path.toByteArray())
        .bind("id", node)
        .bind("generation", generation)
        .execute();
  }

  @Override
  public List<String> endSilent(String manager, long beforeMs) {
    return handle
        .createQuery(
            "update nodes set presence = 'offline' where presence = 'online' and manager = :manager"
                + " and last_seen_ms < :before returning id")
        .bind("manager", manager)
        .bind("before", beforeMs)
        .mapTo(String.class)
        .list();
  }
}
