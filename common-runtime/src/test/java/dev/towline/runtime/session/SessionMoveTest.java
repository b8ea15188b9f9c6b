package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.testing.Await;
import dev.towline.runtime.testing.FakeConversation;
import dev.towline.runtime.testing.FakeManager;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.Requirement;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A session that goes elsewhere: balanced, asked to leave, or told to try another way. */
@Requirement({"P2", "P5", "P12"})
final class SessionMoveTest {
  private static final Duration LONG = Duration.ofSeconds(60);

  private final List<InetAddress> cluster = new CopyOnWriteArrayList<>();
  @TempDir private Path directory;
  private TestNode node;

  @BeforeEach
  void open() {
    node =
        new TestNode(
            directory,
            new FleetChannels(
                Thread.ofPlatform().daemon().factory(),
                host -> {
                  if (cluster.isEmpty()) {
                    throw new UnknownHostException(host);
                  }
                  return cluster.toArray(InetAddress[]::new);
                }));
  }

  @AfterEach
  void close() throws Exception {
    node.close();
  }

  @Test
  void tryMove_newWayWorks_isTakenWithoutAGap() throws Exception {
    FakeManager old = node.direct();
    FakeManager proxied = node.behindProxy();
    NodeSession session = node.start(old.address());
    FakeConversation first = old.conversation(0);

    Optional<String> problem = get(session.tryMove(List.of(proxied.address()), LONG));

    assertThat(problem).isEmpty();
    proxied.conversation(0).await(frame -> frame.hasHeartbeat());
    Await.until("the old one ends", first::isEnded);
    assertThat(node.states).doesNotContain("offline");
    proxied.restart();
    proxied.conversation(1);
    assertThat(old.conversations()).hasSize(1);
  }

  @Test
  void tryMove_nobodyThere_staysAndSaysWhy() throws Exception {
    FakeManager old = node.direct();
    FakeManager gone = node.direct();
    NodeSession session = node.start(old.address());
    FakeConversation first = old.conversation(0);
    gone.close();

    Optional<String> problem = get(session.tryMove(List.of(gone.address()), LONG));

    assertThat(problem.orElseThrow()).contains(gone.address().toString());
    first.send(first.nextNoOp());
    first.awaitResult(1);
    assertThat(node.states).containsExactly("online");
  }

  @Test
  void tryMove_somebodySilentThere_staysAfterTheLimit() throws Exception {
    FakeManager old = node.direct();
    NodeSession session = node.start(old.address());
    FakeConversation first = old.conversation(0);
    try (var silent = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      var there = new ServerAddress("127.0.0.1", silent.getLocalPort());

      Optional<String> problem = get(session.tryMove(List.of(there), Duration.ofSeconds(1)));

      assertThat(problem.orElseThrow()).contains("in time");
    }
    first.send(first.nextNoOp());
    first.awaitResult(1);
  }

  @Test
  void tryMove_welcomedThereButNoHeartbeatComesBack_goesBack() throws Exception {
    FakeManager old = node.direct();
    FakeManager mute = node.behindProxy();
    mute.answerHeartbeats = false;
    NodeSession session = node.start(old.address());
    old.conversation(0);

    Duration limit = Duration.ofSeconds(1);
    do {
      // On a busy machine it may not even be welcomed within the time.
      limit = limit.multipliedBy(2);
      assertThat(get(session.tryMove(List.of(mute.address()), limit))).isPresent();
    } while (mute.conversations().stream().noneMatch(FakeConversation::isWelcomed)
        && limit.compareTo(LONG) < 0);

    assertThat(mute.conversations()).anyMatch(FakeConversation::isWelcomed);
    FakeConversation back = old.conversation(1);
    back.send(back.nextNoOp());
    back.awaitResult(1);
  }

  @Test
  @Requirement("F6")
  void reconnect_presentOneWorks_makesAnotherConnectionWithoutAGap() throws Exception {
    FakeManager manager = node.direct();
    NodeSession session = node.start(manager.address());
    FakeConversation first = manager.conversation(0);

    assertThat(get(session.reconnect(LONG))).isEmpty();

    manager.conversation(1).await(frame -> frame.hasHeartbeat());
    Await.until("the old one ends", first::isEnded);
    assertThat(node.states).doesNotContain("offline");
  }

  @Test
  @Requirement("F6")
  void reconnect_noHeartbeatComesBack_saysSo() throws Exception {
    FakeManager manager = node.direct();
    NodeSession session = node.start(manager.address());
    manager.conversation(0);
    manager.answerHeartbeats = false;

    assertThat(get(session.reconnect(Duration.ofSeconds(2)))).isPresent();
  }

  @Test
  void leaveTo_nobodyThere_leavesAndGoesOnTrying() throws Exception {
    FakeManager old = node.direct();
    FakeManager later = node.direct();
    NodeSession session = node.start(old.address());
    FakeConversation first = old.conversation(0);
    later.close();

    session.leaveTo(List.of(later.address()));

    Await.until("the old one ends", first::isEnded);
    later.restart();
    later.conversation(0);
  }

  @Test
  void drainingProxy_isLeftForAnotherAddressOfTheName() throws Exception {
    FakeManager one = node.behindProxy(loopback(2), 0);
    FakeManager two = node.behindProxy(loopback(3), one.address().port());
    cluster.addAll(List.of(loopback(2), loopback(3)));
    node.start(new ServerAddress("proxy.example", one.address().port()));
    FakeManager used = usedOf(one, two);
    FakeManager other = used == one ? two : one;
    FakeConversation first = used.conversation(0);

    used.drain();

    other.conversation(0);
    Await.until("the old one ends", first::isEnded);
    assertThat(node.states).doesNotContain("offline");
  }

  @Test
  void lostProxy_theOtherAddressIsDialledAtOnce() throws Exception {
    FakeManager one = node.behindProxy(loopback(2), 0);
    FakeManager two = node.behindProxy(loopback(3), one.address().port());
    cluster.addAll(List.of(loopback(2), loopback(3)));
    node.start(new ServerAddress("proxy.example", one.address().port()));
    FakeManager used = usedOf(one, two);
    FakeManager other = used == one ? two : one;

    used.close();

    other.conversation(0);
  }

  @Test
  void nameThatCannotBeLookedUpAnyMore_servesByItsLastAddresses() throws Exception {
    FakeManager proxied = node.behindProxy(loopback(2), 0);
    cluster.add(loopback(2));
    node.start(new ServerAddress("proxy.example", proxied.address().port()));
    proxied.conversation(0);
    cluster.clear();

    proxied.restart();

    proxied.conversation(1);
  }

  private static FakeManager usedOf(FakeManager one, FakeManager two) {
    Await.until("a session", () -> one.conversations().size() + two.conversations().size() > 0);
    return one.conversations().isEmpty() ? two : one;
  }

  private static InetAddress loopback(int last) throws UnknownHostException {
    return InetAddress.getByAddress(new byte[] {127, 0, 0, (byte) last});
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(120, TimeUnit.SECONDS);
  }
}
