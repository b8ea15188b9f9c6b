package dev.towline.manager.uplink;

import com.google.protobuf.ByteString;
import dev.towline.manager.events.Events;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.OpenSession;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import dev.towline.proto.v1.UplinkShare;
import dev.towline.proto.v1.UplinkWelcome;
import dev.towline.runtime.sealed.SealedLink;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One of a proxy's connections with the sessions on it.
 *
 * <p>Lifecycle: hello and welcome, then frames of sessions, until {@link #lost}, which ends every
 * session on it.
 *
 * <p>Threading: frames arrive one after another; {@link #send} and {@link #ended} may be called by
 * any thread.
 *
 * <p>Failure: frames of sessions that ended are ignored; of sessions that never began are recorded.
 */
final class UplinkLane {
  static final int INITIAL_CREDIT = 8 << 10;

  private static final Logger log = LoggerFactory.getLogger(UplinkLane.class);
  private static final int SESSIONS_PER_SECOND = 1000;
  private static final int MOST_SESSIONS = 25_000;
  private static final int LARGEST_PIECE = 32 << 10;

  private final String proxy;
  private final String source;
  private final Uplinks uplinks;
  private final Port port;
  private final Sessions sessions;
  private final Events events;
  private final Map<Long, UplinkSession> live = new ConcurrentHashMap<>();
  private UplinkHello.@Nullable Lane kind;
  private long newest;
  private @Nullable KeptIntake intake;
  private final LongConsumer share;
  private volatile boolean failed;

  /** The connection's own stream; called by any thread, must not block. */
  interface Port {
    void send(DownlinkFrame frame);

    void fail(String reason);
  }

  UplinkLane(
      String proxy, String source, Uplinks uplinks, Port port, Sessions sessions, Events events) {
    this.proxy = proxy;
    this.source = source;
    this.uplinks = uplinks;
    this.port = port;
    this.sessions = sessions;
    this.events = events;
    this.share =
        part ->
            send(
                DownlinkFrame.newBuilder()
                    .setShare(UplinkShare.newBuilder().setBandwidth(part))
                    .build());
  }

  String proxy() {
    return proxy;
  }

  /** host:port of the proxy's connection, as this manager sees it. */
  String source() {
    return source;
  }

  void send(DownlinkFrame frame) {
    port.send(frame);
  }

  void ended(long number) {
    live.remove(number);
  }

  void receive(UplinkFrame frame) {
    if (failed) {
      return;
    }
    if (kind == null) {
      if (frame.hasHello()) {
        hello(frame.getHello());
      } else {
        fail("first frame " + frame.getFrameCase() + " (expected: hello)");
      }
      return;
    }
    switch (frame.getFrameCase()) {
      case HELLO -> fail("a second hello");
      case OPEN -> open(frame.getSession(), frame.getOpen());
      case SEALED -> {
        ByteString bytes = frame.getSealed();
        if (bytes.size() > LARGEST_PIECE) {
          fail("sealed piece of " + bytes.size() + " bytes (expected: at most 32 KiB)");
          return;
        }
        UplinkSession session = find(frame);
        if (session != null) {
          session.sealed(bytes);
        }
      }
      case CREDIT -> {
        UplinkSession session = find(frame);
        if (session != null) {
          session.credit(frame.getCredit());
        }
      }
      case CLOSE -> {
        UplinkSession session = find(frame);
        if (session != null) {
          session.lost(frame.getClose().getCode() + ": " + frame.getClose().getDetail());
        }
      }
      case REPORT -> uplinks.reports().report(proxy, frame.getReport(), share);
      case KEPT -> intake().take(frame.getKept());
      case FRAME_NOT_SET -> log.debug("frame of a kind this version does not know");
    }
  }

  void lost(String detail) {
    List.copyOf(live.values()).forEach(session -> session.lost(detail));
  }

  private KeptIntake intake() {
    KeptIntake present = intake;
    if (present == null) {
      present = uplinks.newIntake(proxy, this::send, this::fail);
      intake = present;
    }
    return present;
  }

  private void fail(String reason) {
    failed = true;
    log.warn("lane of proxy {} is cut: {}", proxy, reason);
    port.fail(reason);
    lost(reason);
  }

  private void hello(UplinkHello hello) {
    kind = hello.getLane();
    log.info("proxy {} opened a {} lane from {}", proxy, kind, source);
    send(
        DownlinkFrame.newBuilder()
            .setWelcome(
                UplinkWelcome.newBuilder()
                    .setManagerId(uplinks.managerId())
                    .setSessionsPerSecond(SESSIONS_PER_SECOND)
                    .setInitialCredit(INITIAL_CREDIT))
            .build());
  }

  private void open(long number, OpenSession opening) {
    if (kind != UplinkHello.Lane.CONTROL) {
      fail("session opened on lane " + kind + " (expected: CONTROL)");
      return;
    }
    if (number <= newest || live.size() >= MOST_SESSIONS) {
      fail(
          number <= newest
              ? "session number " + number + " (expected: above " + newest + ")"
              : "more than " + MOST_SESSIONS + " sessions on one lane");
      return;
    }
    newest = number;
    UplinkSession session =
        new UplinkSession(
            number,
            opening,
            this,
            SealedLink.managerEnd(uplinks.newChannel()),
            sessions,
            events,
            uplinks.executor(),
            INITIAL_CREDIT);
    live.put(number, session);
    session.start();
  }

  private @Nullable UplinkSession find(UplinkFrame frame) {
    UplinkSession session = live.get(frame.getSession());
    if (session == null && frame.getSession() > newest) {
      events.record(
          "uplink.unknown_session",
          proxy,
          frame.getFrameCase() + " for session " + frame.getSession() + ", which never began");
    }
    return session;
  }
}
