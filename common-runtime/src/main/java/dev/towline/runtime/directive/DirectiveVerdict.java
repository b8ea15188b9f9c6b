package dev.towline.runtime.directive;

import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveContent;

/** What {@link DirectiveVerifier} says about a directive. */
public sealed interface DirectiveVerdict {

  /** Valid and the next in order. */
  record Accept(Directive directive, DirectiveContent content) implements DirectiveVerdict {}

  /** Valid for this session, but accepted in an earlier one: say so again and do nothing. */
  record AlreadyAccepted(Directive directive) implements DirectiveVerdict {}

  /** Valid, but others come first: fetch everything after the last accepted one. */
  record Gap(Directive directive, long lastAccepted) implements DirectiveVerdict {}

  /**
   * Not to be carried out.
   *
   * @param id the directive's, empty when it can't be known
   * @param sequence the directive's, 0 when it can't be known
   */
  record Refuse(DirectiveRefusal refusal, String detail, String id, long sequence)
      implements DirectiveVerdict {}
}
