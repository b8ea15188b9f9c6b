package dev.towline.it.topology;

import java.time.Duration;
import java.util.regex.Pattern;

/** A command that a test started in the background of a host. */
public final class Service {
  private final Host host;
  private final String name;
  private final String pidFile;
  private final String logFile;

  Service(Host host, String name, String pidFile, String logFile) {
    this.host = host;
    this.name = name;
    this.pidFile = pidFile;
    this.logFile = logFile;
  }

  public boolean isAlive() {
    return host.run("sh", "-c", "kill -0 $(cat " + pidFile + ")").ok();
  }

  /** Sends a signal such as {@code TERM}, {@code KILL} or {@code STOP}. */
  public void signal(String signal) {
    host.sh("kill -" + signal + " $(cat " + pidFile + ")");
  }

  /** Asks the process to end, and waits until it has. */
  public void stop(Duration limit) {
    signal("TERM");
    Await.until(host.name() + ": " + name + " has ended", limit, () -> !isAlive());
  }

  /** All that it has printed, to either stream, since the host came up. */
  public String log() {
    return host.read(logFile);
  }

  /** Waits until a line of the log contains a match. */
  public void awaitLog(String regex, Duration limit) {
    Pattern pattern = Pattern.compile(regex);
    try {
      Await.until(
          host.name() + ": " + name + " logs " + regex, limit, () -> pattern.matcher(log()).find());
    } catch (AssertionError e) {
      throw new AssertionError(e.getMessage() + "; its log:\n" + log(), e);
    }
  }
}
