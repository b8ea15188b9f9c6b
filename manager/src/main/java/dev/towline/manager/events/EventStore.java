package dev.towline.manager.events;

import java.util.List;

/** Events, newest first. Part of a transaction. */
public interface EventStore {
  /**
   * @param event its id is ignored
   * @param reportId the reporter's own id of the event; the same one is stored once; empty when it
   *     has none
   * @return it was not stored before
   */
  boolean add(EventRecord event, String reportId);

  /**
   * @param code empty for every code
   * @param subject as it was given, or the name of nodes; empty for every subject
   * @param beforeId 0 to start at the newest
   */
  List<EventRecord> list(String code, String subject, long beforeId, int limit);
}
