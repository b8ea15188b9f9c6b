package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.InstallCommand;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.DurableFiles;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Shows a command with the lines to paste, which hold its secret. */
final class CreatedCommands {
  private CreatedCommands() {}

  static void print(
      CliContext context,
      CreatedInstallCommand created,
      String what,
      @Nullable Path enrollmentFile,
      OutputOptions output) {
    keep(context, created, enrollmentFile);
    if (!output.isTable()) {
      output.print(created, context.out());
      return;
    }
    show(context, created, what, enrollmentFile);
  }

  /** Writes the enrollment file, when it is wanted, and says the warnings. */
  static void keep(
      CliContext context, CreatedInstallCommand created, @Nullable Path enrollmentFile) {
    if (enrollmentFile != null) {
      write(enrollmentFile, created.getEnrollmentFile());
    }
    for (String warning : created.getWarningsList()) {
      context.err().println("warning: " + warning);
    }
  }

  /** For people. */
  static void show(
      CliContext context,
      CreatedInstallCommand created,
      String what,
      @Nullable Path enrollmentFile) {
    PrintStream out = context.out();
    InstallCommand command = created.getCommand();
    out.println(
        "Install command "
            + command.getId()
            + " for "
            + what
            + (command.getGroup().isEmpty() ? "" : " of group " + command.getGroup())
            + ", ends "
            + Times.until(command.getExpiresMs(), context.clock().instant())
            + (command.getMaxUses() == 0 ? "" : ", for " + command.getMaxUses() + " uses")
            + ".");
    if (created.getCurlLine().equals(created.getWgetLine()) && !created.getCurlLine().isEmpty()) {
      out.println("Paste the line into a root shell on the host. It holds a secret.");
      out.println();
      out.println(created.getCurlLine());
    } else if (!created.getCurlLine().isEmpty()) {
      out.println("Paste one line into a root shell on the host. It holds a secret.");
      out.println();
      out.println("With curl:");
      out.println(created.getCurlLine());
      out.println();
      out.println("With wget:");
      out.println(created.getWgetLine());
    }
    if (enrollmentFile != null) {
      out.println();
      out.println("Enrollment file: " + enrollmentFile);
    }
  }

  private static void write(Path file, String content) {
    try {
      DurableFiles.replace(file, content.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new TowlineException(
          Errors.FILE_FAILED,
          "failed to write the enrollment file " + file + ": " + e,
          "give another path; the created command stays valid until it is revoked",
          e);
    }
  }
}
