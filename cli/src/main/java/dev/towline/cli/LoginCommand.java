package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.login.AdminClient;
import dev.towline.cli.login.ManagerAddress;
import dev.towline.cli.login.PinnedTrust;
import dev.towline.cli.login.StoredLogin;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.SignInRequest;
import dev.towline.proto.v1.SignInResponse;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.RootSuccession;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "login",
    header = "Signs in to a manager and remembers it.",
    description = {
      "The manager is trusted by the fingerprint of its CA, which it prints at its first start.",
      "Give it with --ca-fingerprint, or compare it when asked; it is asked for once."
    },
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline login https://manager.example:8444",
      "  towline login manager.example --user admin --password-file pw --ca-fingerprint 3f9a…"
    })
final class LoginCommand implements Callable<Integer> {
  private final CliContext context;

  @Parameters(paramLabel = "URL", description = "console address of the manager")
  private String url = "";

  @Option(names = "--user", defaultValue = "admin", description = "default: admin")
  private String user = "admin";

  @Option(
      names = "--password-file",
      paramLabel = "FILE",
      description = "read the password from a file, '-' is standard input (default: ask)")
  private @Nullable Path passwordFile;

  @Option(
      names = "--ca-fingerprint",
      paramLabel = "HEX",
      description = "SHA-256 of the fleet's root certificate")
  private @Nullable String fingerprint;

  LoginCommand(CliContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    ManagerAddress address = ManagerAddress.parse(url);
    PinnedTrust trust = trust(address);
    String password = Passwords.read(context, passwordFile, "Password of " + user + ": ");
    SignInResponse signedIn;
    try (var client =
        new AdminClient(
            address.url(), context.connections().open(address, trust.fleet(), trust.roots(), ""))) {
      signedIn =
          client
              .auth()
              .signIn(SignInRequest.newBuilder().setUser(user).setPassword(password).build());
    } catch (StatusRuntimeException e) {
      throw Errors.ofStatus(e, address.url());
    }
    context
        .logins()
        .save(
            new StoredLogin(
                address.url(),
                user,
                signedIn.getToken(),
                signedIn.getExpiresMs(),
                trust.fleet(),
                trust.roots()));
    context.say(
        "Signed in to "
            + address.url()
            + " as "
            + user
            + ", for "
            + Times.until(signedIn.getExpiresMs(), context.clock().instant())
                .replaceFirst("^in ", "")
            + ".");
    if (signedIn.getPasswordChangeAdvised()) {
      context.say("This is the one-time password of the first start; change it: towline password");
    }
    return ExitCodes.OK;
  }

  private PinnedTrust trust(ManagerAddress address) {
    List<X509Certificate> chain = context.connections().presentedChain(address);
    if (fingerprint != null) {
      return PinnedTrust.of(chain, fingerprint, address.url());
    }
    PinnedTrust presented = PinnedTrust.presented(chain, address.url());
    String found = Fingerprints.of(presented.roots().getFirst());
    Optional<StoredLogin> before =
        context.logins().load().filter(login -> login.isFor(address.url()));
    if (before.isPresent()) {
      if (RootSuccession.follow(before.get().roots(), chain)
          .contains(presented.roots().getFirst())) {
        return presented;
      }
      context
          .err()
          .println(
              "WARNING: the CA of this manager is another than at the last login. Somebody may be"
                  + " in between.");
    }
    context.err().println("The manager at " + address.url() + " presents CA fingerprint");
    context.err().println("  " + found);
    Optional<String> answer =
        context
            .terminal()
            .ask("Is this the fingerprint that it printed at its first start? [y/N] ");
    if (answer.isEmpty() || !answer.get().strip().matches("(?i)y(es)?")) {
      throw new TowlineException(
          Errors.MANAGER_NOT_TRUSTED,
          context.terminal().isPresent()
              ? "the CA fingerprint was not confirmed"
              : "the CA fingerprint can't be confirmed without a terminal",
          "give the fingerprint that the manager printed: --ca-fingerprint HEX");
    }
    return presented;
  }
}
