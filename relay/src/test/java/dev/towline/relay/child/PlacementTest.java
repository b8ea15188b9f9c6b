package dev.towline.relay.child;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.ChildFrame;
import dev.towline.proto.v1.ParentFrame;
import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.link.RelayIo;
import dev.towline.relay.tunnel.CarryMethod;
import dev.towline.testing.Requirement;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Which persistent connection a connection from below gets, and when it gets none. */
final class PlacementTest {
  private static final RelayTarget SESSION = RelayTarget.RELAY_TARGET_SESSION;
  private static final RelayTarget BULK = RelayTarget.RELAY_TARGET_PUBLIC_HTTP;

  private final RelayIo io = new RelayIo("placement");
  private final ParentLinks links =
      new ParentLinks(io.loop(), () -> ChildSettings.Tuning.DEFAULTS, () -> {});

  @AfterEach
  void stop() {
    io.close();
  }

  @Test
  @Requirement("R7")
  void severalConnections_sessionsHaveOneOfTheirOwn_theOthersShareTheRest() throws Exception {
    onLoop(() -> {
      List<ParentLink> four = parent("parent-1", 4, 100);
      List<ParentLink> bulk = claim(BULK, 30);
      List<ParentLink> sessions = claim(SESSION, 5);

      assertThat(bulk).doesNotContain(four.getFirst());
      assertThat(four.subList(1, 4)).allMatch(link -> link.activeCount() == 10);
      assertThat(sessions).containsOnly(four.getFirst());
      return true;
    });
  }

  @Test
  @Requirement("R7")
  void reservesOfTheOthersAreEmpty_bulkWaitsAndLeavesTheSessionsTheirs() throws Exception {
    onLoop(() -> {
      parent("parent-1", 2, 3);

      List<ParentLink> bulk = claim(BULK, 5);

      assertThat(bulk).hasSize(3);
      assertThat(links.waiting()).isEqualTo(2);
      assertThat(claim(SESSION, 0)).isEmpty();
      return true;
    });
  }

  @Test
  @Requirement("R1")
  void severalParents_theLeastLoadedGetsTheNext_oneThatDrainsGetsNone() throws Exception {
    onLoop(() -> {
      ParentLink first = parent("parent-1", 1, 100).getFirst();
      ParentLink second = parent("parent-2", 1, 100).getFirst();
      claim(SESSION, 20);
      assertThat(first.activeCount()).isEqualTo(10);
      assertThat(second.activeCount()).isEqualTo(10);

      first.drained(false, "test");
      claim(SESSION, 20);

      assertThat(first.activeCount()).as("what lives goes on").isEqualTo(10);
      assertThat(second.activeCount()).isEqualTo(30);
      return true;
    });
  }

  @Test
  @Requirement("R7")
  void connectionIsFull_othersTakeOver_pairIsFull_refusedAndCounted() throws Exception {
    onLoop(() -> {
      List<ParentLink> four = parent("parent-1", 4, 4 * CarryMethod.MAX_TUNNELS);
      claim(SESSION, CarryMethod.MAX_TUNNELS);
      assertThat(four.getFirst().activeCount()).isEqualTo(CarryMethod.MAX_TUNNELS);

      claim(SESSION, 1);
      assertThat(four.getFirst().activeCount()).isEqualTo(CarryMethod.MAX_TUNNELS);
      claim(BULK, ParentLinks.MAX_OF_PAIR - CarryMethod.MAX_TUNNELS - 1);
      assertThat(links.refusals().counts()).isEmpty();

      List<ParentLink> beyond = claim(BULK, 3);

      assertThat(beyond).isEmpty();
      assertThat(links.refusals().counts()).isEqualTo(Map.of(ParentLinks.PAIR_FULL, 3L));
      ParentLink other = parent("parent-2", 1, 10).getFirst();
      assertThat(claim(BULK, 3)).containsOnly(other);
      return true;
    });
  }

  @Test
  @Requirement("R1")
  void connectionIsLost_whatWaitsIsServedByAnother() throws Exception {
    onLoop(() -> {
      ParentLink first = parent("parent-1", 1, 1).getFirst();
      claim(SESSION, 2);
      assertThat(links.waiting()).isEqualTo(1);

      first.lost("test");
      ParentLink second = parent("parent-2", 1, 5).getFirst();

      assertThat(links.waiting()).isZero();
      assertThat(second.activeCount()).isEqualTo(1);
      return true;
    });
  }

  /** Research item A2.4: rathole 109 and 401 gave out streams of broken connections. */
  @Test
  @Requirement({"R1", "R4"})
  void reservedStreamsOfADeadConnection_areNeverGiven() throws Exception {
    onLoop(() -> {
      ParentLink dead = parent("parent-1", 1, 16).getFirst();
      ParentLink alive = parent("parent-2", 1, 2).getFirst();
      List<ServerCarry> ended = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        ServerCarry stream = new ServerCarry(new FakeCall<>(), alive);
        alive.offered(stream);
        ended.add(stream);
      }

      dead.lost("test");
      // Streams may also end one by one, on a connection that stands.
      ended.forEach(ServerCarry::onCancel);

      assertThat(dead.reserveCount()).isZero();
      assertThat(dead.usable()).isFalse();
      assertThat(claim(SESSION, 3)).containsExactly(alive, alive);
      assertThat(links.waiting()).isEqualTo(1);
      return true;
    });
  }

  private <T> T onLoop(Callable<T> task) throws Exception {
    return io.loop().submit(task).get();
  }

  private List<ParentLink> parent(String id, int connections, int streams) {
    List<ParentLink> made = new ArrayList<>();
    for (int index = 0; index < connections; index++) {
      ParentLink link =
          new ParentLink(
              links,
              new FakeCall<ParentFrame, ChildFrame>(),
              io.loop(),
              Duration.ofMinutes(1),
              new ParentLink.Description(id, "instance", index, "test", Instant.EPOCH),
              () -> true);
      link.start();
      made.add(link);
    }
    for (int i = 0; i < streams; i++) {
      for (ParentLink link : made) {
        link.offered(new ServerCarry(new FakeCall<>(), link));
      }
    }
    return made;
  }

  /** Where they went; those that wait or were refused went nowhere. */
  private List<ParentLink> claim(RelayTarget target, int count) {
    List<ParentLink> granted = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      var _ = links.claim(target, carry -> granted.add(carry.link()), _ -> {});
    }
    return granted;
  }

  /** Takes everything and says nothing. */
  private static final class FakeCall<Q, A> extends ServerCall<Q, A> {
    @Override
    public void request(int messages) {}

    @Override
    public void sendHeaders(Metadata headers) {}

    @Override
    public void sendMessage(A message) {}

    @Override
    public void close(Status status, Metadata trailers) {}

    @Override
    public boolean isCancelled() {
      return false;
    }

    @Override
    public MethodDescriptor<Q, A> getMethodDescriptor() {
      throw new UnsupportedOperationException("a call without a method");
    }
  }
}
