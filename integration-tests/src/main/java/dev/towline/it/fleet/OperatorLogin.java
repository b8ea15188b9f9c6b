package dev.towline.it.fleet;

import dev.towline.cli.login.AdminClient;
import dev.towline.cli.login.LoginStore;
import dev.towline.cli.login.ManagerAddress;
import dev.towline.cli.login.StoredLogin;
import dev.towline.cli.login.TlsAdminConnections;
import java.nio.file.Path;
import java.time.InstantSource;

/** The admin API, used with what {@code towline login} stored. */
public final class OperatorLogin {
  private OperatorLogin() {}

  public static AdminClient open(Path configDirectory, InstantSource clock) {
    StoredLogin login =
        new LoginStore(configDirectory)
            .load()
            .orElseThrow(() -> new IllegalStateException("nobody has signed in"));
    return new AdminClient(
        login.url(),
        new TlsAdminConnections(clock)
            .open(ManagerAddress.parse(login.url()), login.fleet(), login.roots(), login.token()));
  }
}
