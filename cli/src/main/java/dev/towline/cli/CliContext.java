package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.cli.login.AdminClient;
import dev.towline.cli.login.AdminConnections;
import dev.towline.cli.login.LoginStore;
import dev.towline.cli.login.ManagerAddress;
import dev.towline.cli.login.PinnedTrust;
import dev.towline.cli.login.StoredLogin;
import dev.towline.cli.login.TlsAdminConnections;
import dev.towline.runtime.error.TowlineException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * What commands need from their surroundings; tests give their own.
 *
 * @param terminal asks the operator, when there is one
 */
public record CliContext(
    PrintStream out,
    PrintStream err,
    Map<String, String> environment,
    InstantSource clock,
    LoginStore logins,
    AdminConnections connections,
    Terminal terminal) {

  /** The real surroundings of a process. */
  static CliContext ofProcess(OutputStream out, OutputStream err, Map<String, String> environment) {
    var clock = Clock.systemUTC();
    return new CliContext(
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8),
        environment,
        clock,
        new LoginStore(configDirectory(environment)),
        new TlsAdminConnections(clock),
        Terminal.ofProcess());
  }

  /** A line of the answer. */
  public void say(String line) {
    out.println(line);
  }

  /** A client of the manager that the operator has signed in to. */
  public AdminClient connect() {
    StoredLogin login = login();
    return new AdminClient(
        login.url(),
        connections.open(
            ManagerAddress.parse(login.url()), login.fleet(), login.roots(), login.token()));
  }

  /** One question to that manager; the connection ends with the answer. */
  public <T> T ask(Function<AdminClient, T> question) {
    try (var client = connect()) {
      return question.apply(client);
    }
  }

  /** The stored login, with {@code TOWLINE_URL} and {@code TOWLINE_TOKEN} taking precedence. */
  public StoredLogin login() {
    Optional<StoredLogin> stored = logins.load();
    String url = environment.get("TOWLINE_URL");
    String token = environment.get("TOWLINE_TOKEN");
    if (url != null && !stored.map(l -> l.isFor(url)).orElse(false)) {
      String fingerprint = environment.get("TOWLINE_CA_FINGERPRINT");
      if (fingerprint == null || token == null) {
        throw notSignedIn("TOWLINE_URL is " + url + ", but there is no login for it");
      }
      var trusted =
          PinnedTrust.of(connections.presentedChain(ManagerAddress.parse(url)), fingerprint, url);
      return new StoredLogin(url, "", token, 0, trusted.fleet(), trusted.roots());
    }
    StoredLogin login = stored.orElseThrow(() -> notSignedIn("not signed in to any manager"));
    return token == null ? login : login.withToken(token);
  }

  private static TowlineException notSignedIn(String message) {
    return new TowlineException(
        Errors.NOT_SIGNED_IN,
        message,
        "sign in with: towline login https://MANAGER:8444  (scripts: set TOWLINE_URL, TOWLINE_TOKEN"
            + " and TOWLINE_CA_FINGERPRINT)");
  }

  private static Path configDirectory(Map<String, String> environment) {
    String own = environment.get("TOWLINE_CONFIG_DIR");
    if (own != null && !own.isBlank()) {
      return Path.of(own);
    }
    String xdg = environment.get("XDG_CONFIG_HOME");
    if (xdg != null && !xdg.isBlank()) {
      return Path.of(xdg, "towline");
    }
    return Path.of(environment.getOrDefault("HOME", "."), ".config", "towline");
  }
}
