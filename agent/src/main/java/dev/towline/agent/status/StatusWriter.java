package dev.towline.agent.status;

import dev.towline.agent.status.AgentStatus.State;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.session.SessionObserver;
import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps {@code status.json} and says in the log when the session comes and goes.
 *
 * <p>Threading: called on the session's thread. Failure: a status that can't be written is logged;
 * the agent goes on.
 */
public final class StatusWriter implements SessionObserver {
  private static final Logger log = LoggerFactory.getLogger(StatusWriter.class);

  private final Path file;
  private final InstantSource clock;
  private final long pid;
  private final Consumer<Throwable> failure;
  private final BiConsumer<String, byte[]> clone;
  private AgentStatus status;
  private volatile Map<ServerAddress, String> unresolved = Map.of();

  /**
   * @param failure hears what ends the session for good
   * @param clone hears with which token and secret this host shall enroll anew
   */
  public StatusWriter(
      Path file,
      InstantSource clock,
      long pid,
      IssuedIdentity identity,
      Consumer<Throwable> failure,
      BiConsumer<String, byte[]> clone) {
    this.file = file;
    this.clock = clock;
    this.pid = pid;
    this.failure = failure;
    this.clone = clone;
    this.status =
        AgentStatus.without(
            State.OFFLINE, pid, identity.identity().uri(), "starting", clock.instant());
    this.status = withCertificate(identity.expires());
    write();
  }

  @Override
  public void online(Established session) {
    String path = session.peer().equals(session.manager()) ? "direct" : "proxy";
    status =
        new AgentStatus(
            State.ONLINE,
            pid,
            status.identity(),
            session.manager().uri(),
            session.server().equals(session.address())
                ? session.server().toString()
                : session.server() + " [" + session.address() + "]",
            path,
            session.generation(),
            "",
            clock.instant(),
            status.lastHeartbeat(),
            status.certificateExpires());
    write();
    log.info(
        "towline-agent online: {} through {} ({}), generation {}",
        session.manager().id(),
        session.server(),
        path,
        session.generation());
  }

  @Override
  public void heartbeatAnswered(Instant managerTime) {
    status =
        new AgentStatus(
            status.state(),
            pid,
            status.identity(),
            status.manager(),
            status.server(),
            status.path(),
            status.generation(),
            status.detail(),
            status.since(),
            managerTime,
            status.certificateExpires());
    write();
  }

  @Override
  public void offline(String why) {
    without(State.OFFLINE, why);
    log.info("towline-agent offline: {}", why);
  }

  @Override
  public void waiting(Duration untilNext) {
    without(State.WAITING, "next contact at " + clock.instant().plus(untilNext));
    log.debug("contact over, the next one in {} ms", untilNext.toMillis());
  }

  @Override
  public void unresolved(Map<ServerAddress, String> names) {
    unresolved = Map.copyOf(names);
    if (status.state() == State.OFFLINE && !names.isEmpty()) {
      without(State.OFFLINE, "names that can't be looked up: " + names);
    }
  }

  /** Servers whose name leads nowhere, with the resolver's answer; may be asked by any thread. */
  public Map<ServerAddress, String> unresolved() {
    return unresolved;
  }

  private void without(State state, String detail) {
    status =
        new AgentStatus(
            state,
            pid,
            status.identity(),
            "",
            "",
            "",
            status.generation(),
            detail,
            clock.instant(),
            status.lastHeartbeat(),
            status.certificateExpires());
    write();
  }

  @Override
  public void renewed(IssuedIdentity identity) {
    status = withCertificate(identity.expires());
    write();
  }

  @Override
  public void enrollAnew(String tokenId, byte[] secret) {
    clone.accept(tokenId, secret);
  }

  @Override
  public void failed(Throwable cause) {
    failure.accept(cause);
  }

  private AgentStatus withCertificate(Instant expires) {
    return new AgentStatus(
        status.state(),
        pid,
        status.identity(),
        status.manager(),
        status.server(),
        status.path(),
        status.generation(),
        status.detail(),
        status.since(),
        status.lastHeartbeat(),
        expires);
  }

  private void write() {
    try {
      status.write(file);
    } catch (IOException e) {
      log.warn("status can't be written: {} ({})", file, e.getMessage());
    }
  }
}
