package dev.towline.manager.store.sql;

import dev.towline.manager.session.ResultPartStore;
import java.util.List;
import org.jdbi.v3.core.Handle;

/** {@link ResultPartStore} over the table result_parts. */
final class SqlResultPartStore implements ResultPartStore {
  private final Handle handle;

  SqlResultPartStore(Handle handle) {
    this.handle = handle;
  }

  @Override
  public void put(String node, long epoch, long sequence, int number, byte[] content, long nowMs) {
    handle
        .createUpdate(
            "insert into result_parts (node, epoch, sequence, number, content, received_ms)"
                + " values (:node, :epoch, :sequence, :number, :content, :now)"
                + " on conflict (node, epoch, sequence, number) do nothing")
        .bind("node", node)
        .bind("epoch", epoch)
        .bind("sequence", sequence)
        .bind("number", number)
        .bind("content", content)
        .bind("now", nowMs)
        .execute();
  }

  @Override
  public List<byte[]> list(String node, long epoch, long sequence) {
    return handle
        .createQuery(
            "select content from result_parts"
                + " where node = :node and epoch = :epoch and sequence = :sequence order by number")
        .bind("node", node)
        .bind("epoch", epoch)
        .bind("sequence", sequence)
        .map((row, _) -> row.getBytes("content"))
        .list();
  }

  @Override
  public void delete(String node, long epoch, long sequence) {
    handle
        .createUpdate(
            "delete from result_parts"
                + " where node = :node and epoch = :epoch and sequence = :sequence")
        .bind("node", node)
        .bind("epoch", epoch)
        .bind("sequence", sequence)
        .execute();
  }

  @Override
  public int count(String node) {
    return handle
        .createQuery("select count(*) from result_parts where node = :node")
        .bind("node", node)
        .mapTo(Integer.class)
        .one();
  }

  @Override
  public void prune(String node, int most, long beforeMs) {
    handle
        .createUpdate("delete from result_parts where received_ms < :before")
        .bind("before", beforeMs)
        .execute();
    if (count(node) > most) {
      handle
          .createUpdate("delete from result_parts where node = :node")
          .bind("node", node)
          .execute();
    }
  }
}
