package dev.towline.manager;

import dev.towline.manager.access.Access;
import dev.towline.manager.admin.AdminApi;
import dev.towline.manager.alerts.AlertRoutes;
import dev.towline.manager.console.Console;
import dev.towline.manager.install.CommandChecks;
import dev.towline.manager.install.InstallCommands;
import dev.towline.manager.install.InstallSource;
import dev.towline.manager.install.PackageDirectories;
import dev.towline.manager.install.Packages;
import dev.towline.manager.install.PublicSite;
import dev.towline.manager.paths.PathTraces;
import dev.towline.manager.policies.PolicyTree;
import dev.towline.manager.proxies.ClientMoves;
import dev.towline.manager.proxies.ProxyOrders;
import dev.towline.manager.proxies.ProxyUpgrades;
import dev.towline.manager.rest.ConsoleServer;
import dev.towline.manager.rest.PublicServer;
import dev.towline.manager.updates.UpdateExpiry;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.telemetry.BuildInfo;
import dev.towline.runtime.tls.HandshakeRefusal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Everything people and hosts reach by HTTP, and the admin API.
 *
 * <p>Lifecycle: {@link #start} makes the first user when there is none, prints how to sign in, and
 * opens the listeners; {@link #close} ends them.
 *
 * <p>Failure: a start that fails closes what it had opened.
 */
final class Faces implements AutoCloseable {
  static final ErrorCode FACES_FAILED = ErrorCode.external("LISTENER_FAILED");

  private static final Logger log = LoggerFactory.getLogger(Faces.class);
  private static final long RELOAD_SECONDS = 60;
  private static final long UPGRADE_SECONDS = 1;
  private static final long SERVING_SECONDS = 5;
  private static final long SIGNING_SECONDS = 600;

  private final List<AutoCloseable> parts = new ArrayList<>();

  private Faces() {}

  static Faces start(ManagerServices services) {
    var faces = new Faces();
    try {
      faces.open(services);
      return faces;
    } catch (RuntimeException e) {
      faces.close();
      if (e instanceof TowlineException known) {
        throw known;
      }
      throw new TowlineException(
          FACES_FAILED,
          "the ports for people and hosts can't be opened: " + e.getMessage(),
          "check --listen, --console-port, --public-port and --updates-port: something else may use"
              + " one of them",
          e);
    }
  }

  private void open(ManagerServices services) {
    ManagerConfig config = services.config();
    var access =
        new Access(services.store(), services.events(), services.clock(), services.random());
    var packages =
        new Packages(config.packages().map(List::of).orElseGet(PackageDirectories::usual));
    var addresses =
        new InstallCommands.Addresses(
            config.advertise(), config.sessionPort(), config.publicPort(), config.updatesPort());
    var commands =
        new InstallCommands(
            services.store(),
            services.tokens(),
            services.proxyClusters(),
            services.relays(),
            services.fleet(),
            packages,
            services.programs(),
            addresses,
            policy -> {
              PolicyTree tree = services.policies().tree();
              return InstallSource.of(setting -> tree.value("", policy, setting));
            },
            services.clock());
    var orders = new ProxyOrders(services.proxyClusters(), services.actions());
    var upgrades =
        new ProxyUpgrades(
            services.store(),
            services.proxyClusters(),
            orders,
            services.actions(),
            commands.proxyInstaller(),
            services.clock());
    AdminApi admin =
        add(
            new AdminApi(
                new AdminApi.Features(
                    services.store(),
                    services.events(),
                    access,
                    services.hosts(),
                    services.actions(),
                    services.proxyClusters(),
                    new ClientMoves(
                        services.proxyClusters(),
                        services.actions(),
                        services.sessions().registry(),
                        addresses.servers(),
                        services.clock()),
                    orders,
                    upgrades,
                    services.groups(),
                    services.policies(),
                    services.heartbeats(),
                    services.dialer(),
                    services.alerts(),
                    new AlertRoutes(services.store(), services.clock()),
                    services.relays(),
                    commands,
                    services.sessions(),
                    new PathTraces(
                        services.hosts(),
                        services.sessions(),
                        services.relays().reports(),
                        services.fleet().manager().identity().id()),
                    services.logs(),
                    services.updates(),
                    services.fleet().id()),
                services.random()));
    BiConsumer<String, HandshakeRefusal> refusals =
        (client, refusal) -> services.events().record("tls.refused", client, refusal.toString());
    PublicServer site =
        add(
            new PublicServer(
                config.listen(),
                config.publicPort(),
                config.updatesPort(),
                services.fleet(),
                config.tlsProfile(),
                refusals,
                new PublicSite(
                    new CommandChecks(services.store(), services.events(), services.clock()),
                    packages),
                services.updates()));
    ConsoleServer console =
        add(
            new ConsoleServer(
                config.listen(),
                config.consolePort(),
                services.fleet(),
                config.tlsProfile(),
                refusals,
                admin.channel(),
                admin.services(),
                new Console(
                    admin.channel(),
                    services.fleet().id(),
                    BuildInfo.version(),
                    services.clock())));
    ScheduledExecutorService timer =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("faces").daemon().factory());
    add(timer::shutdownNow);
    var _ =
        timer.scheduleWithFixedDelay(
            () -> {
              site.reloadCertificate();
              console.reloadCertificate();
            },
            RELOAD_SECONDS,
            RELOAD_SECONDS,
            TimeUnit.SECONDS);
    var _ =
        timer.scheduleWithFixedDelay(
            () -> {
              try {
                upgrades.advance();
              } catch (RuntimeException e) {
                log.error("upgrades of proxies did not go on, tried again", e);
              }
            },
            UPGRADE_SECONDS,
            UPGRADE_SECONDS,
            TimeUnit.SECONDS);
    var _ =
        timer.scheduleWithFixedDelay(
            () -> {
              try {
                services.updates().serving().refresh();
              } catch (RuntimeException e) {
                log.error("how updates are served was not read, tried again", e);
              }
            },
            SERVING_SECONDS,
            SERVING_SECONDS,
            TimeUnit.SECONDS);
    var expiry =
        new UpdateExpiry(
            services.store(), services.alerts(), services.updates().repository(), services.clock());
    var _ =
        timer.scheduleWithFixedDelay(
            () -> {
              try {
                services.updates().repository().renew();
                expiry.check();
              } catch (RuntimeException e) {
                log.error("updates were not signed anew, tried again", e);
              }
            },
            0,
            SIGNING_SECONDS,
            TimeUnit.SECONDS);
    welcome(services, access);
  }

  /** The password is printed once, by the process that made it. */
  private static void welcome(ManagerServices services, Access access) {
    ManagerConfig config = services.config();
    Optional<String> password =
        access.createFirstUser(config.initialPasswordFile().map(Faces::readPassword));
    System.out.println(
        "Console        https://" + config.advertise().getFirst() + ":" + config.consolePort());
    System.out.println("CA fingerprint " + services.fleet().rootFingerprint());
    if (password.isPresent()) {
      System.out.println("User           " + Access.FIRST_USER);
      System.out.println(
          "Password       "
              + (config.initialPasswordFile().isPresent()
                  ? "from " + config.initialPasswordFile().get()
                  : password.get() + "  (shown only now; change it with: towline password)"));
    }
    System.out.flush();
  }

  private static String readPassword(Path file) {
    try {
      return Files.readString(file).lines().findFirst().orElse("");
    } catch (IOException e) {
      throw new TowlineException(
          FACES_FAILED,
          "the first password can't be read from " + file + ": " + e,
          "check --initial-password-file",
          e);
    }
  }

  private <T extends AutoCloseable> T add(T part) {
    parts.add(part);
    return part;
  }

  @Override
  public void close() {
    for (AutoCloseable part : parts.reversed()) {
      try {
        part.close();
      } catch (Exception e) {
        log.error("stopping {} failed", part, e);
      }
    }
  }
}
