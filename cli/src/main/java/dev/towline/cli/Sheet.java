package dev.towline.cli;

import dev.towline.cli.output.Text;
import java.io.PrintStream;

/** One thing in full: a label and a value on each line, what is empty left out. */
record Sheet(PrintStream out) {
  private static final int LABEL_WIDTH = 18;

  void line(String label, String value) {
    if (!value.isEmpty()) {
      var padded = new StringBuilder(label);
      padded.repeat(' ', Math.max(1, LABEL_WIDTH - label.length()));
      out.println(padded + Text.printable(value));
    }
  }
}
