package dev.towline.manager.events;

/**
 * @param code stable, for instance {@code session.tampered}
 * @param subject identity or name of whom it concerns
 * @param reporter {@code manager}, or the identity of the reporter
 */
public record EventRecord(
    long id, long timeMs, String code, String subject, String detail, String reporter) {}
