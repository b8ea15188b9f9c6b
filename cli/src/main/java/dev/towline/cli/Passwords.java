package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Passwords come from a file or from the keyboard, never from the argument list. */
final class Passwords {
  private Passwords() {}

  static String read(CliContext context, @Nullable Path file, String question) {
    if (file == null) {
      return context
          .terminal()
          .askSecret(question)
          .orElseThrow(() ->
              new TowlineException(
                  Errors.USAGE,
                  "the password can't be asked for without a terminal",
                  "give a file that holds it: --password-file FILE ('-' is standard input)"));
    }
    try {
      String content =
          file.toString().equals("-")
              ? new String(System.in.readAllBytes(), StandardCharsets.UTF_8)
              : Files.readString(file);
      return content.lines().findFirst().orElse("");
    } catch (IOException e) {
      throw new TowlineException(
          Errors.FILE_FAILED,
          "failed to read the password from " + file + ": " + e,
          "check the path and its permissions",
          e);
    }
  }
}
