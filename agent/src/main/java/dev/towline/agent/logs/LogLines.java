package dev.towline.agent.logs;

/** Lines of a bounded length. */
final class LogLines {
  static final int LONGEST = 8 << 10;

  private LogLines() {}

  static String shortened(String line) {
    return line.length() <= LONGEST ? line : line.substring(0, LONGEST) + " ...";
  }
}
