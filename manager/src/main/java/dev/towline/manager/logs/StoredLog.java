package dev.towline.manager.logs;

import dev.towline.proto.v1.LogRecord;

/**
 * @param id grows in the order of storing
 * @param receivedMs when the manager stored it
 */
public record StoredLog(long id, long epoch, long sequence, long receivedMs, LogRecord record) {}
