package dev.towline.manager.session;

import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.events.Events;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.programs.ProgramInstalls;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SignedResult;
import dev.towline.runtime.identity.Signatures;
import java.security.PublicKey;
import java.util.Optional;

/**
 * Stores results once, whichever way they came, with what follows from them. Safe for use by
 * several threads.
 */
final class Results {
  static final String FORGED = "result.forged";

  private static final String CONTEXT = "towline result v1";

  /** How an agent begins to say that it left its proxy without another way. */
  private static final String NO_ROUTE = "no route";

  private final SessionServices services;

  Results(SessionServices services) {
    this.services = services;
  }

  static boolean isSignedWith(PublicKey key, SignedResult signed) {
    return Signatures.verifyP256(
        key, CONTEXT, signed.getResult().toByteArray(), signed.getSignature().toByteArray());
  }

  /** Part of a transaction; the signature was checked. */
  void save(Tx tx, String id, DirectiveResult result, SignedResult signed) {
    boolean isNew = tx.directives().saveResult(id, result, signed, services.clock().millis());
    Optional<QueuedDirective> own =
        tx.directives()
            .find(result.getDirectiveId())
            .filter(directive -> directive.target().equals(id));
    boolean isOwn = own.isPresent();
    if (isNew
        && own.isPresent()
        && own.get().kind() == DirectiveKind.DIRECTIVE_KIND_INSTALL_PROGRAM) {
      installed(tx, id, own.get(), result);
    }
    if (isNew
        && own.isPresent()
        && own.get().kind() == DirectiveKind.DIRECTIVE_KIND_REHOME
        && result.getOutcome() == Outcome.OUTCOME_SUCCEEDED
        && result.getDetail().startsWith(NO_ROUTE)) {
      tx.nodes().route(id, "", Node.NO_ROUTE);
    }
    if (isNew && own.isPresent() && own.get().kind() == DirectiveKind.DIRECTIVE_KIND_SET_POLICY) {
      services.policies().delivery().result(tx, id, own.get(), result);
    }
    if (isNew && !isOwn) {
      tx.events()
          .add(
              services
                  .events()
                  .of(
                      FORGED,
                      id,
                      "result of directive " + result.getDirectiveId() + ", which is not its own",
                      Events.MANAGER),
              "");
    }
  }

  private void installed(Tx tx, String id, QueuedDirective directive, DirectiveResult result) {
    InstallProgram program = ProgramInstalls.read(directive);
    boolean done = result.getOutcome() == Outcome.OUTCOME_SUCCEEDED;
    String what = "towline-" + program.getProgram() + " " + program.getVersion();
    tx.events()
        .add(
            services
                .events()
                .of(
                    done ? ProgramInstalls.INSTALLED : ProgramInstalls.FAILED,
                    id,
                    done ? what : what + ": " + result.getDetail(),
                    Events.MANAGER),
            "");
  }
}
