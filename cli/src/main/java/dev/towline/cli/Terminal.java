package dev.towline.cli;

import java.io.Console;
import java.util.Optional;

/** The operator at the keyboard, if there is one. */
public interface Terminal {
  boolean isPresent();

  /** The line that was typed, empty at the end of input. */
  Optional<String> ask(String question);

  /** Like {@link #ask}, without showing what is typed. */
  Optional<String> askSecret(String question);

  // Without a terminal JDK 25 gives null again, other than the check believes.
  @SuppressWarnings("SystemConsoleNull")
  static Terminal ofProcess() {
    Console console = System.console();
    if (console == null || !console.isTerminal()) {
      return none();
    }
    return new Terminal() {
      @Override
      public boolean isPresent() {
        return true;
      }

      @Override
      public Optional<String> ask(String question) {
        return Optional.ofNullable(console.readLine("%s", question));
      }

      @Override
      public Optional<String> askSecret(String question) {
        char[] typed = console.readPassword("%s", question);
        return typed == null ? Optional.empty() : Optional.of(new String(typed));
      }
    };
  }

  static Terminal none() {
    return new Terminal() {
      @Override
      public boolean isPresent() {
        return false;
      }

      @Override
      public Optional<String> ask(String question) {
        return Optional.empty();
      }

      @Override
      public Optional<String> askSecret(String question) {
        return Optional.empty();
      }
    };
  }
}
