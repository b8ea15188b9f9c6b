package dev.towline.runtime.session;

import java.time.Duration;

/** Times and limits of a session; both ends use the same ones. */
public final class SessionTimings {
  /** Between heartbeats, until a Welcome says otherwise. */
  public static final Duration HEARTBEAT_INTERVAL = Duration.ofSeconds(60);

  /** A heartbeat wants an answer when it is the first of a session, and then each of this many. */
  public static final int HEARTBEAT_ACK_EVERY = 5;

  /** How long an answer to a heartbeat may take before the session counts as lost. */
  public static final Duration HEARTBEAT_ACK_LIMIT = Duration.ofSeconds(30);

  /** From dialling to Welcome, the way through a proxy not counted. */
  public static final Duration WELCOME_LIMIT = Duration.ofSeconds(20);

  /** How long a node waits at a proxy that has no way to a manager, when it knows other servers. */
  public static final Duration UPSTREAM_LIMIT = Duration.ofSeconds(30);

  /** How long a proxy may have no way to a manager before it is left copies of records. */
  public static final Duration COPY_DELAY = Duration.ofSeconds(2);

  /** After how long a copy without acknowledgement is sent again. */
  public static final Duration COPY_AGAIN = Duration.ofSeconds(15);

  /** First ceiling of the reconnect backoff. */
  public static final Duration BACKOFF_BASE = Duration.ofMillis(500);

  /** Cap of the reconnect backoff, until a Welcome says otherwise. */
  public static final Duration BACKOFF_CAP = Duration.ofSeconds(4);

  /** How long a request for missing directives or a renewed certificate may stay unanswered. */
  public static final Duration REQUEST_LIMIT = Duration.ofSeconds(30);

  /** How long a clean stop waits for the manager's end of the conversation. */
  public static final Duration GOODBYE_LIMIT = Duration.ofSeconds(2);

  /** How long a stop between two contacts of the short-lived form may take to say so. */
  public static final Duration FAREWELL_LIMIT = Duration.ofSeconds(8);

  /** How long a session that is to be left may still send what waits. */
  public static final Duration LEAVE_DELAY = Duration.ofSeconds(3);

  /** Between two attempts to get another certificate in place of one that is not accepted. */
  public static final Duration RECOVERY_PAUSE = Duration.ofSeconds(30);

  /** A clock that is wrong by less is right. */
  public static final Duration CLOCK_TOLERANCE = Duration.ofMinutes(5);

  /** Results under way without acknowledgement. */
  public static final int RESULT_WINDOW = 32;

  /** Bytes of results under way without acknowledgement; one result may be larger. */
  public static final int RESULT_WINDOW_BYTES = 4 << 20;

  /** Bytes of unacknowledged results above which a further one loses most of its output. */
  public static final int RESULT_BACKLOG_BYTES = 8 << 20;

  /** Waiting bytes above which best-effort frames are dropped. */
  public static final int DROP_ABOVE = 256 << 10;

  /** Waiting bytes above which the peer is too slow to be served. */
  public static final int QUEUE_LIMIT = 16 << 20;

  private SessionTimings() {}
}
