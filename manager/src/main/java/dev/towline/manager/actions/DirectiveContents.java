package dev.towline.manager.actions;

import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.proto.v1.DirectiveKind;

/** What an action asks about its directives. */
final class DirectiveContents {
  private DirectiveContents() {}

  static boolean isCancel(QueuedDirective directive) {
    return directive.kind() == DirectiveKind.DIRECTIVE_KIND_CANCEL_ACTION;
  }

  /** The target may have it, and has not said how it ended. */
  static boolean isUnderWay(DirectiveState state) {
    return switch (state) {
      case DELIVERED, ACCEPTED, RUNNING -> true;
      case QUEUED, ENDED, REFUSED, EXPIRED -> false;
    };
  }
}
