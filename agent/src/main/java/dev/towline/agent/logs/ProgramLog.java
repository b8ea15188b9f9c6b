package dev.towline.agent.logs;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import dev.towline.proto.v1.LogRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.LoggerFactory;

/**
 * The agent's own log from INFO on. What does not fit is counted, never waited for.
 *
 * <p>Lifecycle: {@link #attach}, then it collects until {@link #detach}. Threading: thread-safe.
 */
public final class ProgramLog extends AppenderBase<ILoggingEvent> {
  static final String SOURCE = "towline-agent";

  private static final int MOST = 2_000;

  private final ArrayBlockingQueue<LogRecord> records = new ArrayBlockingQueue<>(MOST);
  private final AtomicLong dropped = new AtomicLong();
  private volatile Runnable wake = () -> {};

  public void attach() {
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
      setContext(context);
      setName("towline-logs-" + System.identityHashCode(this));
      start();
      context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME).addAppender(this);
    }
  }

  public void detach() {
    if (getContext() instanceof LoggerContext context) {
      context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME).detachAppender(this);
    }
    stop();
  }

  /**
   * @param wake called after a record came; must not block
   */
  void onRecord(Runnable wake) {
    this.wake = wake;
  }

  @Override
  protected void append(ILoggingEvent event) {
    if (!event.getLevel().isGreaterOrEqual(Level.INFO)) {
      return;
    }
    LogRecord record =
        LogRecord.newBuilder()
            .setTimeMs(event.getTimeStamp())
            .setLevel(event.getLevel().toString())
            .setSource(SOURCE)
            .setMessage(
                LogLines.shortened(simpleName(event.getLoggerName()) + ": " + message(event)))
            .build();
    if (records.offer(record)) {
      wake.run();
    } else {
      dropped.incrementAndGet();
    }
  }

  private static String message(ILoggingEvent event) {
    String text = event.getFormattedMessage();
    var thrown = event.getThrowableProxy();
    return thrown == null
        ? text
        : text + " (" + thrown.getClassName() + ": " + thrown.getMessage() + ")";
  }

  private static String simpleName(String logger) {
    return logger.substring(logger.lastIndexOf('.') + 1);
  }

  List<LogRecord> take() {
    List<LogRecord> taken = new ArrayList<>();
    records.drainTo(taken);
    return taken;
  }

  /** How many did not fit since the last call. */
  long takeDropped() {
    return dropped.getAndSet(0);
  }
}
