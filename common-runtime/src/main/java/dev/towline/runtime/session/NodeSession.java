package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ActionOutput;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.UpFrame;
import dev.towline.runtime.enroll.FleetMember;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.PeerInterceptor;
import dev.towline.runtime.tls.ServerAddress;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * A node's session with its manager: dials the servers it knows, keeps one conversation up, renews
 * the certificate, and brings every directive to its handler at most once.
 *
 * <p>Lifecycle: construct, {@link #start}, {@link #close}. The journal belongs to the session from
 * the start on and is closed with it.
 *
 * <p>Threading: one thread owns all state; everything public may be called from any thread.
 * Handlers and observers are called on that thread.
 *
 * <p>Failure: whatever happens to connections is answered by dialling again with full jitter. An
 * error of the journal ends the session for good ({@link SessionObserver#failed}).
 */
public final class NodeSession implements AutoCloseable {
  private static final int MAX_LIVE_OUTPUTS = 64;
  private static final Duration LONGEST_STOP = SessionTimings.FAREWELL_LIMIT.plusSeconds(2);

  private final SessionLoop loop;
  private final List<DirectiveHandler> handlers;
  private final AtomicInteger liveOutputs = new AtomicInteger();

  /**
   * What a session is made from.
   *
   * @param servers in the order in which they are tried
   * @param dialled which roles may answer there
   * @param facts read at each hello
   * @param nanoTime monotonic, as {@link System#nanoTime}
   */
  public record Parts(
      FleetMember member,
      List<ServerAddress> servers,
      Set<Role> dialled,
      Supplier<HostFacts> facts,
      SessionJournal journal,
      RevocationRegistry revocations,
      List<DirectiveHandler> handlers,
      HeartbeatSource heartbeats,
      SessionObserver observer,
      FleetChannels channels,
      InstantSource clock,
      LongSupplier nanoTime,
      SecureRandom random,
      ThreadFactory threads) {
    public Parts {
      servers = List.copyOf(servers);
      dialled = Set.copyOf(dialled);
      handlers = List.copyOf(handlers);
      if (servers.isEmpty()) {
        throw new IllegalArgumentException("servers: none (expected: at least one)");
      }
    }

    boolean expects(NodeIdentity peer) {
      return dialled.contains(peer.role());
    }

    boolean handles(DirectiveKind kind) {
      return handlers.stream().anyMatch(handler -> handler.handles(kind));
    }
  }

  public NodeSession(Parts parts) {
    this.handlers = parts.handlers();
    this.loop = new SessionLoop(parts, this::run);
  }

  /** Starts to dial. */
  public void start() {
    loop.start();
  }

  /**
   * Sends a frame of the program's own, best effort: false when no session is up or the peer is
   * slow. Whoever needs it to arrive sends it again at {@link SessionObserver#online}.
   */
  public CompletableFuture<Boolean> send(AgentFrame frame) {
    var sent = new CompletableFuture<Boolean>();
    loop.post(() -> sent.complete(loop.sendNow(frame, true)));
    return sent;
  }

  /** From now on log batches come from here. */
  public void logs(LogFeed feed) {
    loop.post(() -> loop.logs(feed));
  }

  /**
   * Moves to the first of these servers, new session first: the present one ends when the new one
   * stands. When it does not answer, the present one goes on; call again to try again.
   */
  public void moveTo(List<ServerAddress> servers) {
    List<ServerAddress> wanted = List.copyOf(servers);
    if (wanted.isEmpty()) {
      throw new IllegalArgumentException("servers: none (expected: at least one)");
    }
    loop.post(() -> loop.servers(wanted));
  }

  /**
   * Tries other servers while the present session goes on; they are used from when a heartbeat went
   * there and back on them.
   *
   * @return empty when they are used; else why not, and everything is as it was
   */
  public CompletableFuture<Optional<String>> tryMove(List<ServerAddress> servers, Duration limit) {
    List<ServerAddress> wanted = List.copyOf(servers);
    var outcome = new CompletableFuture<Optional<String>>();
    loop.post(() -> loop.tryMove(wanted, limit, outcome));
    return outcome;
  }

  /**
   * Proves that the manager can be reached at this moment: makes another connection to the present
   * servers, also when the present one works, and goes on with it.
   *
   * @return empty when a heartbeat went there and back on it; else why not, and everything is as it
   *     was
   */
  public CompletableFuture<Optional<String>> reconnect(Duration limit) {
    var outcome = new CompletableFuture<Optional<String>>();
    loop.post(() -> loop.reconnect(limit, outcome));
    return outcome;
  }

  /** Uses other servers, whether they answer or not; the present session ends after a moment. */
  public void leaveTo(List<ServerAddress> servers) {
    List<ServerAddress> wanted = List.copyOf(servers);
    loop.post(() -> loop.leaveTo(wanted));
  }

  /**
   * Between heartbeats from now on; empty is what the manager says at the Welcome. A heartbeat goes
   * out at once when it changes.
   */
  public void heartbeatInterval(Optional<Duration> interval) {
    loop.post(() -> loop.heartbeatInterval(interval.orElse(null)));
  }

  /**
   * Who dials whom from now on; before the start, or after a trial. A connection that the new
   * direction does not have ends after a moment.
   *
   * @param listenPort where managers may dial this node; 0: nowhere
   */
  public void direction(Direction direction, int listenPort) {
    loop.post(() -> loop.direction(direction, listenPort));
  }

  /**
   * Asks the manager to dial this node, which listens there already, while the present session goes
   * on; the new one takes its place once a heartbeat went there and back.
   *
   * @return empty when the manager is in; else why not, and everything is as it was
   */
  public CompletableFuture<Optional<String>> tryCall(int listenPort, Duration limit) {
    var outcome = new CompletableFuture<Optional<String>>();
    loop.post(() -> loop.tryCall(listenPort, limit, outcome));
    return outcome;
  }

  /**
   * Tries the servers that it has as {@link #tryMove} does, whoever dialled the present session.
   */
  public CompletableFuture<Optional<String>> tryDial(Duration limit) {
    var outcome = new CompletableFuture<Optional<String>>();
    loop.post(() -> loop.tryDial(limit, outcome));
    return outcome;
  }

  /** Tells the manager at once what has changed. */
  public void heartbeatNow() {
    loop.post(loop::heartbeatNow);
  }

  /**
   * A manager dialled this node. To be called within the call that came in.
   *
   * @param from where it came from
   * @return takes what the manager sends
   */
  public StreamObserver<DownFrame> attached(
      PeerInterceptor.Peer manager, ServerAddress from, ServerCallStreamObserver<UpFrame> answers) {
    var carrier = new AttachedCarrier(answers, manager.chain());
    loop.post(() -> loop.attached(carrier, from));
    return carrier;
  }

  /** Reports a security event: kept on the disk until the manager has it. */
  public void securityEvent(String code, String detail) {
    loop.post(() -> loop.securityEvent(code, detail));
  }

  /** Says goodbye and ends; waits for the end for a short while. May be called twice. */
  public void close(Goodbye.Reason reason) {
    try {
      loop.stop(reason).get(LONGEST_STOP.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException _) {
      // It ends with the process at the latest.
    }
  }

  @Override
  public void close() {
    close(Goodbye.Reason.AGENT_STOP);
  }

  private void run(AcceptedDirective directive) {
    Optional<DirectiveHandler> handler =
        handlers.stream().filter(h -> h.handles(directive.kind())).findFirst();
    handler.ifPresent(h -> h.accepted(directive, new LoopProgress(directive)));
  }

  /** Brings a handler's reports to the session's thread. */
  private final class LoopProgress implements DirectiveHandler.Progress {
    private final AcceptedDirective directive;
    private final AtomicBoolean finished = new AtomicBoolean();

    LoopProgress(AcceptedDirective directive) {
      this.directive = directive;
    }

    @Override
    public void started() throws InterruptedException {
      CompletableFuture<Void> durable = new CompletableFuture<>();
      loop.post(() -> loop.directiveStarted(directive, durable));
      try {
        durable.get();
      } catch (ExecutionException e) {
        throw new IllegalStateException(
            "start of directive %d can't be noted".formatted(directive.sequence()), e);
      }
    }

    @Override
    public void output(long offset, ByteString data) {
      if (liveOutputs.incrementAndGet() > MAX_LIVE_OUTPUTS) {
        liveOutputs.decrementAndGet();
        return;
      }
      loop.post(() -> {
        liveOutputs.decrementAndGet();
        var _ =
            loop.sendNow(
                AgentFrame.newBuilder()
                    .setOutput(
                        ActionOutput.newBuilder()
                            .setDirectiveId(directive.id())
                            .setSequence(directive.sequence())
                            .setOffset(offset)
                            .setData(data))
                    .build(),
                false);
      });
    }

    @Override
    public void finished(DirectiveEnd end) {
      if (finished.compareAndSet(false, true)) {
        loop.post(() -> loop.directiveFinished(directive, end));
      }
    }
  }
}
