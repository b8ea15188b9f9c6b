package dev.towline.manager.admin;

import dev.towline.manager.access.Access;
import dev.towline.manager.actions.Actions;
import dev.towline.manager.alerts.AlertRoutes;
import dev.towline.manager.alerts.Alerts;
import dev.towline.manager.dialling.AgentDialer;
import dev.towline.manager.events.Events;
import dev.towline.manager.firewall.FirewallOrders;
import dev.towline.manager.groups.Groups;
import dev.towline.manager.heartbeat.Heartbeats;
import dev.towline.manager.ids.Ids;
import dev.towline.manager.install.InstallCommands;
import dev.towline.manager.logs.Logs;
import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.paths.PathTraces;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.proxies.ClientMoves;
import dev.towline.manager.proxies.ProxyClusters;
import dev.towline.manager.proxies.ProxyOrders;
import dev.towline.manager.proxies.ProxyUpgrades;
import dev.towline.manager.relays.Relays;
import dev.towline.manager.session.Sessions;
import dev.towline.manager.store.Store;
import dev.towline.manager.updates.UpdateReports;
import dev.towline.manager.updates.Updates;
import io.grpc.BindableService;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * The admin services behind authentication, errors and audit, reachable within the process only.
 * gRPC and REST from outside, and the console, all come through {@link #channel}.
 *
 * <p>Lifecycle: serves from construction until {@link #close}.
 *
 * <p>Threading: each call runs on a virtual thread of its own.
 */
public final class AdminApi implements AutoCloseable {
  private static final int LARGEST_MESSAGE = 64 << 20;

  private final List<ServerServiceDefinition> services;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final Server server;
  private final ManagedChannel channel;

  public AdminApi(Features features, SecureRandom random) {
    // The last one is the first to see a call.
    List<ServerInterceptor> interceptors =
        List.of(
            // Inside as well, so that the audit sees how a call ended.
            new ErrorInterceptor(random),
            new AuditInterceptor(features.store(), features.events()),
            new AccessInterceptor(features.access()),
            new ErrorInterceptor(random));
    services =
        services(features, random).stream()
            .map(service -> ServerInterceptors.intercept(service, interceptors))
            .toList();
    String name = "admin-" + Ids.newShort(random);
    var builder = InProcessServerBuilder.forName(name).executor(threads);
    services.forEach(builder::addService);
    try {
      server = builder.build().start();
    } catch (IOException e) {
      throw new UncheckedIOException("failed to start the admin API", e);
    }
    channel =
        InProcessChannelBuilder.forName(name)
            .executor(threads)
            .maxInboundMessageSize(LARGEST_MESSAGE)
            .build();
  }

  /** What the services stand on. */
  public record Features(
      Store store,
      Events events,
      Access access,
      Hosts hosts,
      Actions actions,
      ProxyClusters proxyClusters,
      ClientMoves clientMoves,
      ProxyOrders proxyOrders,
      ProxyUpgrades proxyUpgrades,
      Groups groups,
      Policies policies,
      Heartbeats heartbeats,
      AgentDialer dialer,
      Alerts alerts,
      AlertRoutes alertRoutes,
      Relays relays,
      InstallCommands installCommands,
      Sessions sessions,
      PathTraces traces,
      Logs logs,
      Updates updates,
      String fleet) {}

  /** The way to the services; calls carry their token in {@code authorization}. */
  public ManagedChannel channel() {
    return channel;
  }

  /** For those who expose it. */
  public List<ServerServiceDefinition> services() {
    return services;
  }

  @Override
  public void close() {
    channel.shutdownNow();
    server.shutdownNow();
    try {
      if (!server.awaitTermination(5, TimeUnit.SECONDS)) {
        threads.shutdownNow();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    threads.shutdownNow();
  }

  private static List<BindableService> services(Features features, SecureRandom random) {
    return List.of(
        new AuthGrpcService(features.access()),
        new HostGrpcService(
            features.hosts(),
            features.sessions(),
            features.traces(),
            features.heartbeats(),
            new FirewallOrders(features.hosts(), features.actions()),
            features.dialer(),
            features.fleet(),
            features.sessions().services().clock()),
        new GroupGrpcService(features.groups()),
        new AlertGrpcService(features.alerts(), features.alertRoutes(), features.hosts()),
        new PolicyGrpcService(features.policies(), features.hosts()),
        new ActionGrpcService(features.actions()),
        new InstallCommandGrpcService(features.installCommands(), features.policies()),
        new ProxyClusterGrpcService(
            features.proxyClusters(),
            features.installCommands(),
            features.clientMoves(),
            features.proxyOrders(),
            features.proxyUpgrades(),
            features.sessions(),
            features.fleet()),
        new RelayGrpcService(
            features.relays(), features.installCommands(), features.hosts(), features.sessions()),
        new LogGrpcService(features.logs(), features.hosts()),
        new SendingPolicyGrpcService(features.sessions().services().sending()),
        new CaGrpcService(features.sessions()),
        new UpdateGrpcService(
            features.updates(),
            new UpdateReports(
                features.store(),
                features.updates().repository(),
                features.policies(),
                features.heartbeats()),
            random),
        new EventGrpcService(features.events()));
  }
}
