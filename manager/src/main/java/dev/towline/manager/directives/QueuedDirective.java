package dev.towline.manager.directives;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DirectiveKind;

/**
 * An order in its target's queue.
 *
 * @param target id of the node
 * @param sequence its place in the queue, from 1 without gaps
 * @param content DirectiveContent, serialized
 * @param action id of the action it belongs to; empty when none
 */
public record QueuedDirective(
    String id,
    String target,
    long sequence,
    DirectiveKind kind,
    ByteString content,
    long createdMs,
    long expiresMs,
    String action,
    DirectiveState state) {}
