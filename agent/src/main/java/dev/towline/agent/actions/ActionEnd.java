package dev.towline.agent.actions;

import dev.towline.proto.v1.Outcome;
import java.time.Instant;

/**
 * How a program ended.
 *
 * @param output standard output and error as they came, up to the limit
 * @param detail what happened, for people; empty when it succeeded
 */
public record ActionEnd(
    Outcome outcome,
    int exitStatus,
    byte[] output,
    boolean outputTruncated,
    Instant started,
    Instant finished,
    String detail) {}
