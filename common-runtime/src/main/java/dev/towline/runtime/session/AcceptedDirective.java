package dev.towline.runtime.session;

import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;

/** A directive that was found valid and whose acceptance is on the disk. */
public record AcceptedDirective(
    String id, long sequence, DirectiveKind kind, DirectiveContent content) {}
