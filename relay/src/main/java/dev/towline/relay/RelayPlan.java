package dev.towline.relay;

import dev.towline.proto.v1.RelayTarget;
import dev.towline.relay.child.ChildSettings;
import dev.towline.relay.link.Addresses;
import dev.towline.relay.link.LinkPace;
import dev.towline.relay.parent.ParentSettings;
import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.relay.RelayTuning;
import dev.towline.runtime.tls.ServerAddress;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What this process shall be, from its settings.
 *
 * @param child empty when it is none
 */
record RelayPlan(
    Path data,
    Optional<ChildSettings> child,
    ParentSettings parent,
    long tunnelMemory,
    ServerAddress loopback,
    List<ServerAddress> managerSession,
    List<ServerAddress> managerPublic,
    List<ServerAddress> updates) {
  private static final int SESSION_PORT = 7443;
  private static final int PUBLIC_PORT = 8443;
  private static final int UPDATES_PORT = 8080;

  static RelayPlan of(RelaySettings settings) {
    int loopbackPort = settings.port("loopback-port");
    return new RelayPlan(
        Path.of(settings.text("data")),
        settings.flag("child") ? Optional.of(child(settings, loopbackPort)) : Optional.empty(),
        new ParentSettings(
            settings.tuned(RelayTuning.CONNECTIONS),
            settings.tuned(RelayTuning.MAX_RESERVE),
            new LinkPace(
                settings.millis(RelayTuning.PING_INTERVAL),
                settings.millis(RelayTuning.PING_TIMEOUT),
                settings.tuned(RelayTuning.PING_MISSES)),
            settings.millis(RelayTuning.BACKOFF),
            settings.millis(RelayTuning.BACKOFF_CAP),
            settings.millis(RelayTuning.CONNECT_TIMEOUT),
            settings.tuned(RelayTuning.DRAIN) == 1),
        (long) settings.tuned(RelayTuning.TUNNEL_MEMORY) << 20,
        new ServerAddress("127.0.0.1", loopbackPort),
        managerAddresses(settings, "manager-session", SESSION_PORT),
        managerAddresses(settings, "manager-public", PUBLIC_PORT),
        managerAddresses(settings, "updates", UPDATES_PORT));
  }

  /** A relay that became a child no longer goes where its first pairing as a parent said. */
  private static List<ServerAddress> managerAddresses(
      RelaySettings settings, String key, int defaultPort) {
    boolean fromPairing =
        settings.all().get(key) instanceof SettingValue setting
            && setting.source().equals("pairing");
    return settings.flag("child") && fromPairing
        ? List.of()
        : addresses(settings, key, defaultPort);
  }

  private static ChildSettings child(RelaySettings settings, int loopbackPort) {
    ServerAddress listen = address(settings, "listen", ChildSettings.DEFAULT_PORT);
    String downstream = downstreamAddress(settings);
    List<ChildSettings.Downstream> listeners = new ArrayList<>();
    listeners.add(
        new ChildSettings.Downstream(
            RelayTarget.RELAY_TARGET_SESSION,
            new InetSocketAddress(downstream, settings.port("session-port"))));
    listeners.add(
        new ChildSettings.Downstream(
            RelayTarget.RELAY_TARGET_PUBLIC_HTTP,
            new InetSocketAddress(downstream, settings.port("public-port"))));
    int updates = settings.number("updates-port", 0, 65_535);
    if (updates > 0) {
      listeners.add(
          new ChildSettings.Downstream(
              RelayTarget.RELAY_TARGET_UPDATES, new InetSocketAddress(downstream, updates)));
    }
    return new ChildSettings(
        Addresses.resolve(listen),
        loopbackPort,
        listeners,
        ChildSettings.DEFAULT_KEEP_ALIVE,
        new ChildSettings.Tuning(
            settings.tuned(RelayTuning.RESERVE),
            settings.millis(RelayTuning.STREAM_WAIT),
            settings.tuned(RelayTuning.CONNECTION_LIMIT),
            settings.tuned(RelayTuning.SOURCE_LIMIT),
            settings.tuned(RelayTuning.USER_LIMIT),
            settings.millis(RelayTuning.PING_TIMEOUT),
            settings.tuned(RelayTuning.PING_MISSES)));
  }

  /**
   * Where hosts below connect: on the address that they were given when it is one of this machine,
   * otherwise (a name, or an address in front of this machine) on all.
   */
  private static String downstreamAddress(RelaySettings settings) {
    String listen = settings.text("downstream-listen");
    if (!listen.isEmpty()) {
      return listen;
    }
    String given = settings.text("downstream");
    if (given.isEmpty() || !Addresses.isLiteral(new ServerAddress(given, 1))) {
      return "0.0.0.0";
    }
    try {
      InetAddress address = InetAddress.ofLiteral(given);
      boolean here =
          address.isLoopbackAddress() || NetworkInterface.getByInetAddress(address) != null;
      return here ? given : "0.0.0.0";
    } catch (IllegalArgumentException | SocketException e) {
      return "0.0.0.0";
    }
  }

  private static ServerAddress address(RelaySettings settings, String key, int defaultPort) {
    try {
      return Addresses.parse(settings.text(key), defaultPort);
    } catch (IllegalArgumentException e) {
      throw settings.invalid(key, "host:port");
    }
  }

  /** Several are separated by commas. */
  private static List<ServerAddress> addresses(
      RelaySettings settings, String key, int defaultPort) {
    List<ServerAddress> all = new ArrayList<>();
    for (String each : settings.text(key).split(",")) {
      if (each.isBlank()) {
        continue;
      }
      try {
        all.add(Addresses.parse(each.strip(), defaultPort));
      } catch (IllegalArgumentException e) {
        throw settings.invalid(key, "host:port, several separated by commas");
      }
    }
    return all;
  }

  /**
   * What each target is here. A parent that is a child itself hands everything to its own parent.
   *
   * @param servers where this relay's own session goes
   */
  Map<RelayTarget, List<ServerAddress>> targets(List<ServerAddress> servers) {
    Map<RelayTarget, List<ServerAddress>> targets = new EnumMap<>(RelayTarget.class);
    if (child.isPresent()) {
      targets.put(RelayTarget.RELAY_TARGET_SESSION, List.of(loopback));
      for (ChildSettings.Downstream downstream : child.get().downstream()) {
        InetSocketAddress address = downstream.address();
        String host =
            address.getAddress().isAnyLocalAddress()
                ? "127.0.0.1"
                : address.getAddress().getHostAddress();
        targets.putIfAbsent(
            downstream.target(), List.of(new ServerAddress(host, address.getPort())));
      }
    } else {
      targets.put(
          RelayTarget.RELAY_TARGET_SESSION, managerSession.isEmpty() ? servers : managerSession);
    }
    if (!managerPublic.isEmpty()) {
      targets.put(RelayTarget.RELAY_TARGET_PUBLIC_HTTP, managerPublic);
    }
    if (!updates.isEmpty()) {
      targets.put(RelayTarget.RELAY_TARGET_UPDATES, updates);
    }
    return targets;
  }
}
