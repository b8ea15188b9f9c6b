package dev.towline.relay.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.proto.v1.RelayServiceGrpc;
import dev.towline.relay.child.RelayChild;
import dev.towline.relay.link.PairingKey;
import dev.towline.relay.parent.RelayParent;
import dev.towline.relay.status.LinkView;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.net.Socket;
import java.net.SocketException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who may be whose parent and child, before and after registration. */
@Timeout(300)
final class RelayTrustTest {
  private static final byte[] SECRET = {1, 2, 3, 4, 5, 6, 7, 8};
  private static final byte[] OTHER_SECRET = {8, 7, 6, 5, 4, 3, 2, 1};

  @Test
  @Requirement("R2")
  void child_parentOfAnotherFleet_isRefused() {
    TestFleet other = new TestFleet("other-fleet");
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address())) {
      // It trusts the child's fleet, so only the child can refuse.
      RelayParent stranger =
          pair.newParent(
              other.issue(Role.RELAY, "parent-1"), pair.fleet, target.address(), target.address());
      stranger.children(List.of(Pair.listed("child-1", pair.childPort, new byte[0])));

      awaitError(stranger);

      assertThat(pair.child.links()).isEmpty();
    }
  }

  @Test
  @Requirement("R2")
  void child_relayThatIsNotItsParent_isRefused_andLeftWhenItIsNoLonger() {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address())) {
      pair.child.parents(Set.of("parent-2"));
      pair.parent.children(List.of(Pair.listed("child-1", pair.childPort, new byte[0])));
      awaitError(pair.parent);
      assertThat(pair.child.links()).isEmpty();

      pair.child.parents(Set.of("parent-1", "parent-2"));
      pair.awaitUp();

      pair.child.parents(Set.of("parent-2"));
      Await.until("left", () -> pair.child.links().isEmpty());
      awaitError(pair.parent);
    }
  }

  @Test
  @Requirement("R2")
  void child_memberOfTheFleetThatIsNoRelay_isRefused() throws Exception {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address())) {
      for (Role role : List.of(Role.AGENT, Role.PROXY, Role.MANAGER)) {
        assertThat(hold(pair, Optional.of(pair.fleet.issue(role, "someone"))).getCode())
            .as("as %s", role)
            .isEqualTo(Status.Code.UNAUTHENTICATED);
      }
      assertThat(hold(pair, Optional.empty()).getCode()).isEqualTo(Status.Code.UNAVAILABLE);
      assertThat(pair.child.links()).isEmpty();
    }
  }

  @Test
  @Requirement("R2")
  void parent_answeredByAnotherRelayThanListed_carriesNothing() {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address())) {
      pair.parent.children(List.of(Pair.listed("child-2", pair.childPort, new byte[0])));

      assertThat(awaitError(pair.parent)).contains("child-1");

      assertThat(pair.child.links()).isEmpty();
    }
  }

  @Test
  @Requirement("R2")
  void parent_emptyChildList_isRefusedAndTheOldOneStays() {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      assertThatThrownBy(() -> pair.parent.children(List.of()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("child list: empty");
      assertThat(Pair.up(pair.parent.links())).isEqualTo(2);
    }
  }

  @Test
  @Requirement("R2")
  void parent_childTakenOffTheList_isLeft() {
    try (Target target = Target.echo();
        Pair pair = new Pair(target.address(), target.address()).connected()) {
      int other = FreePorts.next();
      pair.parent.children(List.of(Pair.listed("child-9", other, new byte[0])));

      Await.until("child left", () -> pair.child.links().isEmpty());
      assertThat(pair.parent.links()).allMatch(link -> link.peer().equals("child-9"));
    }
  }

  @Test
  @Requirement({"R5", "R6"})
  void unregisteredChild_pairedParent_onlyItsEnrollmentPasses() throws Exception {
    try (Target manager = Target.echo();
        Pair pair = new Pair(manager.address(), manager.address())) {
      int port = FreePorts.next();
      RelayChild fresh = pair.newChild(port);
      fresh.startUnregistered(
          pair.fleet.id(), Fingerprints.of(pair.fleet.root()), new PairingKey(SECRET));
      assertThat(fresh.listening()).as("loopback only, nothing downstream").hasSize(1);

      pair.parent.children(List.of(Pair.listed("child-1", port, SECRET)));

      Await.until("up for its registration", () -> fresh.links().size() == 1);
      try (Socket socket = Pair.connect(fresh.listening().getFirst())) {
        socket.getOutputStream().write(42);
        assertThat(socket.getInputStream().read()).isEqualTo(42);
      }

      // It is certified: the same process listens with its certificate.
      pair.child.close();
      pair.startRegistered(fresh);

      Await.until(
          "connected by certificate",
          () -> Pair.up(pair.parent.links()) == 2 && fresh.links().size() == 2);
      assertThat(fresh.listening()).hasSize(3);
      try (Socket socket = Pair.connect(fresh.listening().getLast())) {
        socket.getOutputStream().write(43);
        assertThat(socket.getInputStream().read()).isEqualTo(43);
      }
    }
  }

  @Test
  @Requirement("R6")
  void unregisteredChild_withTheWrongSecret_isRefused() throws Exception {
    try (Target manager = Target.echo();
        Pair pair = new Pair(manager.address(), manager.address())) {
      int port = FreePorts.next();
      RelayChild fresh = pair.newChild(port);
      fresh.startUnregistered(
          pair.fleet.id(), Fingerprints.of(pair.fleet.root()), new PairingKey(OTHER_SECRET));

      pair.parent.children(List.of(Pair.listed("child-1", port, SECRET)));

      assertThat(awaitError(pair.parent)).contains("proof of the pairing is wrong");
      assertThat(manager.accepted()).isEmpty();
    }
  }

  @Test
  @Requirement("R6")
  void unregisteredChild_parentWithoutPairing_refusesTheSelfSignedKey() throws Exception {
    try (Target manager = Target.echo();
        Pair pair = new Pair(manager.address(), manager.address())) {
      int port = FreePorts.next();
      RelayChild fresh = pair.newChild(port);
      fresh.startUnregistered(
          pair.fleet.id(), Fingerprints.of(pair.fleet.root()), new PairingKey(SECRET));

      pair.parent.children(List.of(Pair.listed("child-1", port, new byte[0])));

      awaitError(pair.parent);
      assertThat(fresh.links()).isEmpty();
    }
  }

  @Test
  @Requirement("R6")
  void unregisteredChild_parentOfAnotherFleet_isRefused() throws Exception {
    TestFleet other = new TestFleet("test-fleet");
    try (Target manager = Target.echo();
        Pair pair = new Pair(manager.address(), manager.address())) {
      int port = FreePorts.next();
      RelayChild fresh = pair.newChild(port);
      fresh.startUnregistered(
          pair.fleet.id(), Fingerprints.of(pair.fleet.root()), new PairingKey(SECRET));
      RelayParent stranger =
          pair.newParent(
              other.issue(Role.RELAY, "parent-1"), other, manager.address(), manager.address());

      stranger.children(List.of(Pair.listed("child-1", port, SECRET)));

      awaitError(stranger);
      assertThat(fresh.links()).isEmpty();
      Pair.givesUpSoon(fresh, port);
      try (Socket socket = Pair.connect(fresh.listening().getFirst())) {
        assertThatThrownBy(() -> socket.getInputStream().read())
            .isInstanceOf(SocketException.class);
      }
    }
  }

  private static String awaitError(RelayParent parent) {
    Await.until(
        "the dial is refused",
        () ->
            parent.links().stream().anyMatch(link -> !link.lastError().isEmpty())
                && Pair.up(parent.links()) == 0);
    return parent.links().stream()
        .map(LinkView::lastError)
        .filter(error -> !error.isEmpty())
        .findFirst()
        .orElse("");
  }

  /** How the child answers a caller of the control stream. */
  private static Status hold(Pair pair, Optional<IssuedIdentity> caller) throws Exception {
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", pair.childPort)
            .sslContext(FleetTls.client(() -> caller, pair.fleet.verifier(), peer -> true))
            .build();
    try {
      CompletableFuture<Status> ended = new CompletableFuture<>();
      RelayServiceGrpc.newStub(channel)
          .hold(
              new StreamObserver<>() {
                @Override
                public void onNext(dev.towline.proto.v1.ChildFrame frame) {
                  ended.complete(Status.OK);
                }

                @Override
                public void onError(Throwable error) {
                  ended.complete(((StatusRuntimeException) error).getStatus());
                }

                @Override
                public void onCompleted() {
                  ended.complete(Status.OK);
                }
              })
          .onNext(dev.towline.proto.v1.ParentFrame.getDefaultInstance());
      return ended.get(60, TimeUnit.SECONDS);
    } finally {
      channel.shutdownNow();
    }
  }
}
