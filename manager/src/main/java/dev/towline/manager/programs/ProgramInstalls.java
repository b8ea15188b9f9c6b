package dev.towline.manager.programs;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.directives.Directives;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.store.Store;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Lets the agent of a host install another program of the fleet there (R5): the same script and
 * secret that a pasted install command has, as a signed directive. What became of it is an event,
 * and the program's own enrollment. Safe for use by several threads.
 */
public final class ProgramInstalls {
  /** Events: the host has the program, or why it has not. */
  public static final String INSTALLED = "program.installed";

  public static final String FAILED = "program.install_failed";

  private final Store store;
  private final Directives directives;

  public ProgramInstalls(Store store, Directives directives) {
    this.store = store;
    this.directives = directives;
  }

  /**
   * The host with an agent that may be told: by id, or by name when only one has it.
   *
   * @throws TowlineException when several have this name
   */
  public Optional<Node> host(String idOrName) {
    return store.read(tx -> {
      Optional<Node> byId = tx.nodes().find(idOrName).filter(ProgramInstalls::mayBeTold);
      if (byId.isPresent()) {
        return byId;
      }
      List<Node> named =
          tx.nodes().named(Role.AGENT, idOrName).stream()
              .filter(ProgramInstalls::mayBeTold)
              .toList();
      if (named.size() > 1) {
        throw new TowlineException(
            Hosts.HOST_AMBIGUOUS,
            "host name: " + idOrName + " (" + named.size() + " hosts have it)",
            "give the id of the host whose agent shall install the program, see towline hosts list;"
                + " or say --by-hand for a command to paste");
      }
      return named.stream().findFirst();
    });
  }

  private static boolean mayBeTold(Node node) {
    return node.role() == Role.AGENT
        && node.state() != HostState.HOST_STATE_REVOKED
        && node.state() != HostState.HOST_STATE_QUARANTINED;
  }

  /** What a directive of this kind says. */
  public static InstallProgram read(QueuedDirective directive) {
    try {
      return DirectiveContent.parseFrom(directive.content()).getInstallProgram();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("directive " + directive.id() + " can't be read", e);
    }
  }

  /**
   * Tells the agent; one that is away is told when it is back.
   *
   * @param lifetime after which it is no use to try, the one of the enrollment token
   */
  public void install(Node host, InstallProgram program, Duration lifetime) {
    QueuedDirective told =
        store.commit(tx ->
            directives.enqueue(
                tx,
                host.id(),
                DirectiveContent.newBuilder().setInstallProgram(program).build(),
                lifetime,
                ""));
    directives.committed(List.of(told));
  }
}
