package dev.towline.runtime.program;

import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.nio.file.FileSystemException;
import java.util.concurrent.ExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;

/**
 * The command line of a program: what an operator can do something about is told in one line with
 * the program's name, everything else goes to its log with all that is known.
 */
public final class ProgramLine {
  public static final int OK = 0;

  /** Exit status of a command that failed, and said why. */
  public static final int FAILED = 1;

  /** Exit status of a program that its manager does not want: starting it again is of no use. */
  public static final int REFUSED = 3;

  /** Exit status of a program that stopped on purpose: what keeps it running leaves it alone. */
  public static final int AT_REST = 4;

  private static final Logger log = LoggerFactory.getLogger(ProgramLine.class);

  private ProgramLine() {}

  /**
   * @param program annotated with the program's name and commands
   */
  public static CommandLine of(Object program) {
    CommandLine line = new CommandLine(program);
    String name = line.getCommandName();
    return line.setExecutionExceptionHandler((failure, command, _) -> {
      tell(name, failure, command.getErr());
      return FAILED;
    });
  }

  private static void tell(String name, Exception failure, PrintWriter err) {
    switch (failure) {
      case TowlineException told -> err.println(name + ": " + told.explanation());
      case IOException io when io.getCause() instanceof BindException bind ->
          err.println(
              "%s: a port can't be listened on: %s (%s); choose another, see '%s config show'"
                  .formatted(name, io.getMessage(), bind.getMessage(), name));
      // Their message is the file and nothing else.
      case FileSystemException file ->
          err.println(
              "%s: %s: %s".formatted(name, file.getClass().getSimpleName(), file.getMessage()));
      case IOException io -> err.println(name + ": " + io.getMessage());
      case UncheckedIOException io -> err.println(name + ": " + io.getMessage());
      case ExecutionException e -> log.error("{} ends", name, e.getCause());
      default -> log.error("{} failed", name, failure);
    }
  }
}
