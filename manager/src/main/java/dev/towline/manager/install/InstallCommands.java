package dev.towline.manager.install;

import dev.towline.manager.enrollment.CreatedToken;
import dev.towline.manager.enrollment.EnrollmentToken;
import dev.towline.manager.enrollment.EnrollmentTokens;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.programs.ProgramInstalls;
import dev.towline.manager.proxies.ProxyCluster;
import dev.towline.manager.proxies.ProxyClusters;
import dev.towline.manager.proxies.ProxyUpgrades;
import dev.towline.manager.relays.RelayRecord;
import dev.towline.manager.relays.Relays;
import dev.towline.manager.store.Store;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.InstallCommand;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.proto.v1.PairedRelays;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import java.net.URI;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Makes the commands that turn hosts into managed hosts, proxies and relays (I1, I2). Each is a
 * token with its script; the secret is in what is returned and never again. Safe for use by several
 * threads.
 */
public final class InstallCommands {
  private static final Duration USUAL_LIFETIME = Duration.ofHours(24);
  private static final int LOOPBACK_PORT = 52312;

  private final Store store;
  private final EnrollmentTokens tokens;
  private final ProxyClusters clusters;
  private final Relays relays;
  private final Fleet fleet;
  private final Packages packages;
  private final ProgramInstalls programs;
  private final Addresses addresses;
  private final Function<String, InstallSource> sources;
  private final InstantSource clock;

  public InstallCommands(
      Store store,
      EnrollmentTokens tokens,
      ProxyClusters clusters,
      Relays relays,
      Fleet fleet,
      Packages packages,
      ProgramInstalls programs,
      Addresses addresses,
      Function<String, InstallSource> sources,
      InstantSource clock) {
    this.store = store;
    this.tokens = tokens;
    this.clusters = clusters;
    this.relays = relays;
    this.fleet = fleet;
    this.packages = packages;
    this.programs = programs;
    this.addresses = addresses;
    this.sources = sources;
    this.clock = clock;
  }

  /**
   * Under which names and ports others reach this manager.
   *
   * @param hosts the first one is preferred
   */
  public record Addresses(List<String> hosts, int sessionPort, int publicPort, int updatesPort) {
    public Addresses {
      hosts = List.copyOf(hosts);
    }

    /** host:port of sessions without a proxy or relay, in the order of trying. */
    public List<String> servers() {
      return direct().servers();
    }

    Route direct() {
      return new Route(
          hosts.stream().map(host -> Route.hostPort(host, sessionPort)).toList(),
          hosts.stream().map(host -> "https://" + Route.hostPort(host, publicPort)).toList());
    }
  }

  /** For hosts that get an agent. */
  public CreatedInstallCommand createForHosts(CreateInstallCommandRequest wanted, String by) {
    Route route = route(wanted.getProxyCluster(), wanted.getRelay());
    CreatedToken created =
        tokens.create(
            new NewToken(
                Role.AGENT,
                wanted.getOs().isEmpty() ? "linux" : wanted.getOs(),
                "",
                "",
                wanted.getGroup(),
                wanted.getRegion(),
                wanted.getServiceProvider(),
                wanted.getTagsList(),
                wanted.getProxyCluster(),
                wanted.getRelay(),
                wanted.getImageSystem(),
                lifetime(wanted.getExpiresInMs()),
                wanted.getMaxUses(),
                by,
                wanted.getPolicy(),
                SourceNetworks.of(wanted.getSourceNetworksList())));
    return command(
        created,
        route,
        wanted.getImageSystem() ? Map.of(EnrollmentFile.IMAGE, true) : Map.of(),
        sources.apply(wanted.getPolicy()));
  }

  /**
   * For the host of one more proxy of a cluster.
   *
   * @param below name of the child relay below which it stands; empty when it reaches the manager
   */
  public CreatedInstallCommand createForProxy(
      String name, String below, Duration lifetime, String by) {
    Route route = route("", below);
    ProxyCluster cluster = clusters.checkRoom(name);
    CreatedToken created =
        tokens.create(
            NewToken.infrastructure(Role.PROXY, "", "", name, lifetime(lifetime.toMillis()), by));
    return command(created, route, proxySettings(cluster, route), InstallSource.NONE);
  }

  private static Map<String, Object> proxySettings(ProxyCluster cluster, Route route) {
    var settings = new LinkedHashMap<String, Object>();
    settings.put("port", cluster.port());
    settings.put("http-ports", cluster.httpPorts());
    settings.put("manager-public", URI.create(route.sources().getFirst()).getAuthority());
    return settings;
  }

  /**
   * Lets the agent of a host install one more proxy of a cluster there (P3).
   *
   * @param idOrName of a host that is online
   * @return the host, and the version that it installs
   */
  public Deployed deployProxy(String name, String idOrName, String by) {
    ProxyCluster cluster = clusters.checkRoom(name);
    Node host =
        programs
            .host(idOrName)
            .orElseThrow(() ->
                invalid(
                    "host: " + idOrName + " is neither the id nor the name of a host",
                    "see towline hosts list; or paste a command there: towline proxies command "
                        + name));
    if (host.presence() != Presence.ONLINE) {
      throw invalid(
          "host: " + host.name() + " is not online, so its agent can't install anything",
          "choose a host that is online: towline hosts list state=online");
    }
    if (!host.proxyCluster().isEmpty()) {
      throw invalid(
          "host: "
              + host.name()
              + " reaches the manager through proxy cluster "
              + host.proxyCluster()
              + " (expected: a host that reaches it without a proxy, as a proxy has to)",
          "choose another host");
    }
    Packages.Program program = newestPackage(Role.PROXY);
    String below = tokens.find(host.token()).map(EnrollmentToken::relay).orElse("");
    Route route = route("", below);
    CreatedToken created =
        tokens.create(
            NewToken.infrastructure(Role.PROXY, host.name(), "", name, Duration.ofMinutes(15), by));
    installOn(host, created, route.servers(), proxySettings(cluster, route), false);
    return new Deployed(host, program.version());
  }

  /** */
  public record Deployed(Node host, String version) {}

  /** The newest version of a program that this manager has (P13). */
  public Optional<String> newestVersion(Role role) {
    return packages.newest(role).map(Packages.Program::version);
  }

  /** What proxies are upgraded with. */
  public ProxyUpgrades.Installer proxyInstaller() {
    return new ProxyUpgrades.Installer() {
      @Override
      public Optional<String> newest() {
        return newestVersion(Role.PROXY);
      }

      @Override
      public InstallProgram upgrade(Node host) {
        Packages.Program program = newestPackage(Role.PROXY);
        return InstallProgram.newBuilder()
            .setProgram(program.program())
            .setVersion(program.version())
            .setScript(InstallScript.upgrade(routeOf(host), program))
            .build();
      }
    };
  }

  /** The lines of a command that still holds, once more (I2). */
  public CreatedInstallCommand copy(String id) {
    EnrollmentToken token =
        tokens
            .find(id)
            .orElseThrow(() ->
                new TowlineException(
                    EnrollmentTokens.TOKEN_NOT_FOUND,
                    "install command: " + id + " does not exist",
                    "see towline install-command list"));
    if (!isUsable(token, clock.millis())) {
      throw invalid(
          "install command: " + id + " holds no more, it is expired, revoked or used up",
          "create a new one");
    }
    Optional<String> script = store.read(tx -> tx.scripts().find(id));
    Optional<String> source = script.flatMap(InstallScript::firstSource);
    if (source.isEmpty()) {
      throw invalid(
          "install command: " + id + " has no line that could be shown again", "create a new one");
    }
    String secret = encoded(new CreatedToken(token, tokens.secret(id).orElseThrow()));
    String login = token.role() == Role.AGENT ? sources.apply(token.policy()).login() : "";
    return CreatedInstallCommand.newBuilder()
        .setCommand(message(token))
        .setCurlLine(
            InstallScript.line(
                InstallScript.Tool.CURL, source.get(), id, script.orElseThrow(), secret, login))
        .setWgetLine(
            InstallScript.line(
                InstallScript.Tool.WGET, source.get(), id, script.orElseThrow(), secret, login))
        .build();
  }

  /** For the host in the secure zone whose relay dials children. */
  public CreatedInstallCommand createForParent(String name, Duration lifetime, String by) {
    return parentCommand(relays.createParent(name, lifetime(lifetime.toMillis()), by));
  }

  private CreatedInstallCommand parentCommand(CreatedToken created) {
    return command(created, addresses.direct(), parentSettings(), InstallSource.NONE);
  }

  private Map<String, Object> parentSettings() {
    String host = addresses.hosts().getFirst();
    var settings = new LinkedHashMap<String, Object>();
    settings.put("manager-session", Route.hostPort(host, addresses.sessionPort()));
    settings.put("manager-public", Route.hostPort(host, addresses.publicPort()));
    settings.put("updates", Route.hostPort(host, addresses.updatesPort()));
    return settings;
  }

  /**
   * Pairs two relays and gives each side what it needs: a command, or nothing to do because the
   * relay is registered or the agent of its host installs it (R5).
   *
   * @param byHand gives commands also for hosts with an agent
   */
  public PairedRelays pair(Relays.NewPair wanted, boolean byHand) {
    Optional<Node> parentHost = agentFor(wanted.parent(), byHand);
    Optional<Node> childHost = agentFor(wanted.child(), byHand);
    Relays.Paired paired =
        relays.pair(
            new Relays.NewPair(
                parentHost.map(Node::name).orElse(wanted.parent()),
                childHost.map(Node::name).orElse(wanted.child()),
                wanted.dialAddress(),
                wanted.downstreamAddress(),
                wanted.sessionPort(),
                wanted.publicPort(),
                wanted.updatesPort(),
                lifetime(wanted.lifetime().toMillis()),
                wanted.by()));
    var answer = PairedRelays.newBuilder().addAllWarnings(paired.warnings());
    String parent = paired.parent().name();
    if (paired.forParent().isPresent()) {
      CreatedToken created = paired.forParent().get();
      if (parentHost.isPresent()) {
        Route route = addresses.direct();
        installOn(parentHost.get(), created, route.servers(), parentSettings(), false);
        answer.addSteps(byAgent("parent", parent, parentHost.get()));
      } else {
        answer.setParent(parentCommand(created));
        answer.addSteps("on the host of parent " + parent + ": run the parent's command");
      }
    } else if (paired.parent().child() && !paired.childRegistered()) {
      answer.addSteps("parent " + parent + " is a child itself: its own command makes it both");
    }
    String child = paired.child().name();
    if (paired.forChild().isPresent()) {
      CreatedToken created = paired.forChild().get();
      if (childHost.isPresent()) {
        installOn(childHost.get(), created, throughItself(), childSettings(paired.child()), true);
        answer.addSteps(byAgent("child", child, childHost.get()));
      } else {
        answer.setChild(childCommand(paired.child(), created));
        answer.addSteps(
            "on the host of child %s, which reaches nothing by itself: copy %s there by hand (any way will do, it is checked), then run the child's command in the directory where it lies"
                .formatted(
                    child,
                    childPackage()
                        .map(Packages.Program::fileName)
                        .orElse("the package of towline-relay")));
      }
    } else {
      answer.addSteps(
          "child " + child + " is registered: it was told, nothing is to be done there");
    }
    return answer.build();
  }

  /** The host whose agent is to install a relay that is not registered yet. */
  private Optional<Node> agentFor(String relay, boolean byHand) {
    return byHand || relay.isBlank() || relays.isRegistered(relay) || childPackage().isEmpty()
        ? Optional.empty()
        : programs.host(relay);
  }

  private static String byAgent(String side, String name, Node host) {
    return "%s %s: the agent of host %s (id %s) was told to install it, nothing is to be done there; how it went is in towline events list"
        .formatted(side, name, host.name(), host.id());
  }

  /**
   * Lets the agent of a host install a program, as if the command was pasted there. It is fetched
   * the way that the agent's own command named.
   *
   * @param servers where the new program's own session goes
   * @param dialled whether the program goes online only when somebody dials it
   * @throws TowlineException when this manager has no package of the program
   */
  void installOn(
      Node host,
      CreatedToken created,
      List<String> servers,
      Map<String, Object> settings,
      boolean dialled) {
    EnrollmentToken token = created.token();
    Packages.Program program = newestPackage(token.role());
    Route route = routeOf(host);
    EnrollmentFile file = enrollment(token, servers, settings);
    programs.install(
        host,
        InstallProgram.newBuilder()
            .setProgram(program.program())
            .setVersion(program.version())
            .setScript(InstallScript.of(file, route, program, dialled))
            .setSecret(encoded(created))
            .build(),
        Duration.ofMillis(token.expiresMs() - clock.millis()));
  }

  private Packages.Program newestPackage(Role role) {
    return packages
        .newest(role)
        .orElseThrow(() ->
            invalid(
                "package of towline-%s: none in %s".formatted(role.label(), packages.directories()),
                "put it there and try again"));
  }

  /** The way that the command of a host's agent named. */
  private Route routeOf(Node host) {
    return store
        .read(tx -> tx.tokens().find(host.token()))
        .map(first -> route(first.proxyCluster(), first.relay()))
        .orElseGet(addresses::direct);
  }

  private Optional<Packages.Program> childPackage() {
    return packages.newest(Role.RELAY);
  }

  /** The child reaches nothing, so its line carries the script, and its package comes by hand. */
  private CreatedInstallCommand childCommand(RelayRecord child, CreatedToken created) {
    EnrollmentToken token = created.token();
    String secret = encoded(created);
    EnrollmentFile file = enrollment(token, throughItself(), childSettings(child));
    String line = InstallScript.offlineLine(file, childPackage(), secret);
    return CreatedInstallCommand.newBuilder()
        .setCommand(message(token))
        .setCurlLine(line)
        .setWgetLine(line)
        .setEnrollmentFile(file.with(secret))
        .build();
  }

  private static List<String> throughItself() {
    return List.of(Route.hostPort("127.0.0.1", LOOPBACK_PORT));
  }

  private static Map<String, Object> childSettings(RelayRecord child) {
    var settings = new LinkedHashMap<String, Object>();
    settings.put("child", true);
    settings.put("listen", "0.0.0.0:" + Relays.portOf(child.dialAddress()));
    settings.put("loopback-port", LOOPBACK_PORT);
    settings.put("downstream", child.downstreamAddress());
    settings.put("session-port", child.sessionPort());
    settings.put("public-port", child.publicPort());
    settings.put("updates-port", child.updatesPort());
    return settings;
  }

  /** Newest first. */
  public List<InstallCommand> list(boolean includeEnded) {
    long now = clock.millis();
    return tokens.list().stream()
        .filter(token -> includeEnded || isUsable(token, now))
        .map(InstallCommands::message)
        .toList();
  }

  public InstallCommand revoke(String id) {
    return message(tokens.revoke(id));
  }

  private CreatedInstallCommand command(
      CreatedToken created, Route route, Map<String, Object> settings, InstallSource packaged) {
    EnrollmentToken token = created.token();
    String secret = encoded(created);
    EnrollmentFile file = enrollment(token, route.servers(), settings);
    var command =
        CreatedInstallCommand.newBuilder()
            .setCommand(message(token))
            .setEnrollmentFile(file.with(secret));
    Optional<Packages.Program> program = packages.newest(token.role());
    if (program.isEmpty()) {
      return command
          .addWarnings(
              "this manager has no package of towline-"
                  + token.role().label()
                  + " (looked in "
                  + packages.directories()
                  + "), so there is no line to paste; put the package there and create the command"
                  + " again, or use the enrollment file")
          .build();
    }
    String script = InstallScript.of(file, route, program.get(), false, packaged);
    store.commit(tx -> {
      tx.scripts().save(token.id(), script);
      return token;
    });
    String source = route.sources().getFirst();
    return command
        .setCurlLine(
            InstallScript.line(
                InstallScript.Tool.CURL, source, token.id(), script, secret, packaged.login()))
        .setWgetLine(
            InstallScript.line(
                InstallScript.Tool.WGET, source, token.id(), script, secret, packaged.login()))
        .build();
  }

  private Route route(String proxyCluster, String relay) {
    if (!proxyCluster.isEmpty() && !relay.isEmpty()) {
      throw invalid(
          "proxy cluster " + proxyCluster + " and relay " + relay + " (expected: one of them)",
          "leave one out");
    }
    if (!proxyCluster.isEmpty()) {
      ProxyCluster cluster = clusters.cluster(proxyCluster);
      return new Route(
          List.of(Route.hostPort(cluster.address(), cluster.port())),
          List.of("http://" + Route.hostPort(cluster.address(), cluster.httpPort())));
    }
    if (!relay.isEmpty()) {
      RelayRecord child = relays.relay(relay);
      if (child.downstreamAddress().isEmpty()) {
        throw invalid(
            "relay: " + relay + " has no downstream address",
            "pair it again with one: towline relays pair --child "
                + relay
                + " --downstream HOST …");
      }
      return new Route(
          List.of(Route.hostPort(child.downstreamAddress(), child.sessionPort())),
          List.of("https://" + Route.hostPort(child.downstreamAddress(), child.publicPort())));
    }
    return addresses.direct();
  }

  private EnrollmentFile enrollment(
      EnrollmentToken token, List<String> servers, Map<String, Object> settings) {
    return new EnrollmentFile(
        fleet.id(), token.role(), fleet.rootFingerprint(), token.id(), servers, settings);
  }

  private static Duration lifetime(long ms) {
    return ms == 0 ? USUAL_LIFETIME : Duration.ofMillis(ms);
  }

  private static String encoded(CreatedToken created) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(created.secret());
  }

  private static boolean isUsable(EnrollmentToken token, long now) {
    return token.revokedMs() == 0
        && token.expiresMs() > now
        && (token.maxUses() == 0 || token.uses() < token.maxUses());
  }

  private static TowlineException invalid(String message, String remedy) {
    return new TowlineException(EnrollmentTokens.TOKEN_INVALID, message, remedy);
  }

  private static InstallCommand message(EnrollmentToken token) {
    return InstallCommand.newBuilder()
        .setId(token.id())
        .setRole(token.role().toProto())
        .setOs(token.os())
        .setName(token.name())
        .setGroup(token.group())
        .setRegion(token.region())
        .setServiceProvider(token.serviceProvider())
        .addAllTags(token.tags())
        .setProxyCluster(token.proxyCluster())
        .setRelay(token.relay())
        .setImageSystem(token.imageSystem())
        .setCreatedMs(token.createdMs())
        .setCreatedBy(token.createdBy())
        .setExpiresMs(token.expiresMs())
        .setMaxUses(token.maxUses())
        .setUses(token.uses())
        .setRevoked(token.revokedMs() > 0)
        .setLastUsedMs(token.lastUsedMs())
        .setRefusals(token.refusals())
        .setLastRefusal(token.lastRefusal())
        .setPolicy(token.policy())
        .addAllSourceNetworks(token.sourceNetworks().blocks())
        .build();
  }
}
