package dev.towline.manager.alerts;

import java.util.List;
import java.util.Optional;

/** Routes and what is still to be told over them. Part of a transaction. */
public interface AlertRouteStore {
  List<AlertRoute> list();

  Optional<AlertRoute> find(String name);

  void save(AlertRoute route);

  /** With everything that waits for it. */
  void delete(String name);

  /** How the last try went. */
  void tried(String name, long nowMs, String error);

  void send(String route, long alert, String what, long dueMs);

  /** In order, of every route. */
  List<Message> due(long nowMs, int limit);

  void later(long message, long dueMs);

  void done(long message);

  /**
   * @param what raised, or by whom it was cleared
   */
  record Message(long id, String route, long alert, String what, int attempts, long createdMs) {}
}
