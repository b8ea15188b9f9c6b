package dev.towline.manager.actions;

import dev.towline.proto.v1.RunAction;
import java.time.Duration;

/**
 * @param selector of the hosts; empty is refused, {@code all} is every host
 * @param run ignored when it does nothing
 * @param takeUpWithin how long hosts that are offline may still take it up
 * @param idempotencyKey repeating a request with the same key gives the same action; empty when
 *     none
 */
public record NewAction(
    String selector,
    boolean noOp,
    RunAction run,
    Duration takeUpWithin,
    String createdBy,
    String idempotencyKey) {}
