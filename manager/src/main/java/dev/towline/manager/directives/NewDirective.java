package dev.towline.manager.directives;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DirectiveKind;

/**
 * @param state QUEUED, or DELIVERED when the target is in session and will get it at once
 */
public record NewDirective(
    String id,
    String target,
    DirectiveKind kind,
    ByteString content,
    long createdMs,
    long expiresMs,
    String action,
    DirectiveState state) {}
