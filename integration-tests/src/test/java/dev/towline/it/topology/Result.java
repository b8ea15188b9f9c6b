package dev.towline.it.topology;

/** How a command on a host ended. */
public record Result(int exitCode, String out, String err) {
  /** What {@code timeout} ends with when it had to end the command. */
  static final int TIMED_OUT = 124;

  public boolean ok() {
    return exitCode == 0;
  }
}
