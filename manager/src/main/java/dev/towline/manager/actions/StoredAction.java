package dev.towline.manager.actions;

import dev.towline.proto.v1.RunAction;

/**
 * @param idempotencyKey empty when none
 * @param title what was ordered when it is no program; else empty
 */
public record StoredAction(
    String id,
    String selector,
    boolean noOp,
    RunAction run,
    String createdBy,
    long createdMs,
    long expiresMs,
    String idempotencyKey,
    String title) {}
