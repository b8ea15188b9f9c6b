package dev.towline.cli;

import dev.towline.cli.error.ExitCodes;
import dev.towline.proto.v1.SignOutRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(
    name = "logout",
    header = "Ends the sign-in and forgets its token.",
    mixinStandardHelpOptions = true)
final class LogoutCommand implements Callable<Integer> {
  private final CliContext context;

  LogoutCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    try (var client = context.connect()) {
      client.auth().signOut(SignOutRequest.getDefaultInstance());
    } catch (StatusRuntimeException e) {
      if (e.getStatus().getCode() != Status.Code.UNAUTHENTICATED) {
        throw e;
      }
    }
    context.logins().delete();
    context.say("Signed out.");
    return ExitCodes.OK;
  }
}
