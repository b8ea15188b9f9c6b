package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.Chunk;
import dev.towline.proto.v1.OpenTunnel;
import dev.towline.relay.tunnel.CarryMethod;
import dev.towline.testing.Requirement;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A stolen child, with the identity of the real one, against a parent: it asks for what is not on
 * the closed list (research item A2.9).
 */
@Timeout(300)
final class HostileChildTest {

  @Test
  @Requirement({"R3", "R9"})
  void servicesThatAreNotOnTheList_areRefused_andNothingIsDialled() throws Exception {
    try (Target session = Target.echo();
        Target other = Target.echo();
        Pair pair = new Pair(session.address(), session.address());
        StolenChild stolen = StolenChild.start(pair)) {
      pair.parent.children(List.of(Pair.listed("child-1", stolen.port(), new byte[0])));

      // Mapped to nothing here, of no name, from the future; an address in a field for something
      // else does not help either.
      for (int target : List.of(0, 3, 4, 99, -1, Integer.MAX_VALUE)) {
        Chunk answer =
            stolen.open(
                OpenTunnel.newBuilder()
                    .setTargetValue(target)
                    .setSourceAddress(other.address())
                    .addHops(other.address())
                    .build());
        assertThat(answer.getReset().getCode()).as("target %d", target).isEqualTo("TARGET_UNKNOWN");
      }
      assertThat(other.accepted()).isEmpty();
      assertThat(session.accepted()).isEmpty();

      // The same child gets what is on the list, so it was the list that refused.
      Chunk good = stolen.open(OpenTunnel.newBuilder().setTargetValue(1).build());
      assertThat(good.hasOpened()).isTrue();
      awaitAccepted(session, 1);
    }
  }

  @Test
  @Requirement("R4")
  void childOpensMoreThanAConnectionCarries_theParentHoldsToTheLimitItself() throws Exception {
    try (Target session = Target.echo();
        Pair pair = new Pair(session.address(), session.address());
        StolenChild stolen = StolenChild.start(pair)) {
      // The connections that come later are taken by nobody: one stream of control each.
      pair.parent.children(List.of(Pair.listed("child-1", stolen.port(), new byte[0])));
      OpenTunnel wanted = OpenTunnel.newBuilder().setTargetValue(1).build();
      int opened = 0;
      Chunk answer = stolen.open(wanted);
      while (answer.hasOpened() && opened <= CarryMethod.MAX_TUNNELS) {
        opened++;
        if (opened % 10 == 0) {
          stolen.askFor(10);
        }
        answer = stolen.open(wanted);
      }

      assertThat(opened).isEqualTo(CarryMethod.MAX_TUNNELS);
      assertThat(answer.getReset().getCode()).isEqualTo("CONNECTION_FULL");
      awaitAccepted(session, CarryMethod.MAX_TUNNELS);
    }
  }

  /** The kernel connects before the target's thread has accepted. */
  private static void awaitAccepted(Target target, int connections) {
    Await.until(
        "connections at the target: " + connections, () -> target.accepted().size() >= connections);
    assertThat(target.accepted()).hasSize(connections);
  }
}
