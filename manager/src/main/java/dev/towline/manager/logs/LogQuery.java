package dev.towline.manager.logs;

/**
 * Which logs of a node.
 *
 * @param level this one and those above
 * @param source what the source begins with; empty for all
 * @param counters records of counters instead of log records
 * @param beforeId only older ones, newest first; 0 to begin at the newest
 * @param afterId only newer ones, oldest first; 0 for newest first
 */
public record LogQuery(
    String node,
    LogLevel level,
    String source,
    long sinceMs,
    boolean counters,
    long beforeId,
    long afterId,
    int limit) {}
