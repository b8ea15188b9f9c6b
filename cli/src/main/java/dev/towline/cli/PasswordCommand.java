package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.proto.v1.ChangePasswordRequest;
import dev.towline.runtime.error.TowlineException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "password",
    header = "Changes the password of the signed-in user.",
    mixinStandardHelpOptions = true)
final class PasswordCommand implements Callable<Integer> {
  private final CliContext context;

  @Option(
      names = "--current-file",
      paramLabel = "FILE",
      description = "read the current password from a file (default: ask)")
  private @Nullable Path currentFile;

  @Option(
      names = "--new-file",
      paramLabel = "FILE",
      description = "read the new password from a file (default: ask)")
  private @Nullable Path newFile;

  PasswordCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    String current = Passwords.read(context, currentFile, "Current password: ");
    String changed = Passwords.read(context, newFile, "New password: ");
    if (newFile == null && !changed.equals(Passwords.read(context, null, "New password again: "))) {
      throw new TowlineException(
          Errors.USAGE, "the two new passwords differ", "type the same one twice");
    }
    try (var client = context.connect()) {
      client
          .auth()
          .changePassword(
              ChangePasswordRequest.newBuilder()
                  .setCurrentPassword(current)
                  .setNewPassword(changed)
                  .build());
    }
    context.say("Password changed.");
    return ExitCodes.OK;
  }
}
