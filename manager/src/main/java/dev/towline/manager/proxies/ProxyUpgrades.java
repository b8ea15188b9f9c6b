package dev.towline.manager.proxies;

import dev.towline.manager.actions.Actions;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.store.Store;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.ProxyUpgrade;
import dev.towline.proto.v1.ProxyUpgrade.State;
import dev.towline.proto.v1.ProxyUpgradeRoll;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Upgrades the proxies of a cluster to the version that this manager has, one after the other
 * (P13): its agents move away, the agent of its host replaces the program, and the next one's turn
 * comes when the proxy itself reports the new version. One that fails ends the whole.
 *
 * <p>Lifecycle: {@link #advance} every second. What is under way is in the store, so that it goes
 * on after a restart of the manager.
 *
 * <p>Threading: safe for use by several threads; steps follow one another.
 *
 * <p>Failure: every attempt ends within {@link #LIMIT}; a step that can't be taken is tried again
 * until then.
 */
public final class ProxyUpgrades {
  public static final ErrorCode NOT_OFFERED = ErrorCode.user("PROXY_UPGRADE_NOT_OFFERED");
  public static final ErrorCode UNDER_WAY = ErrorCode.user("PROXY_UPGRADE_UNDER_WAY");

  static final Duration LIMIT = Duration.ofMinutes(15);

  private static final Logger log = LoggerFactory.getLogger(ProxyUpgrades.class);
  private static final Duration DRAIN_LIMIT = Duration.ofSeconds(60);
  private static final Duration TAKE_UP = Duration.ofMinutes(2);

  private final Store store;
  private final ProxyClusters clusters;
  private final ProxyOrders orders;
  private final Actions actions;
  private final Installer installer;
  private final InstantSource clock;

  /** What this manager has to install. */
  public interface Installer {
    Optional<String> newest();

    /** For the agent of a host, which replaces the proxy there. */
    InstallProgram upgrade(Node host);
  }

  public ProxyUpgrades(
      Store store,
      ProxyClusters clusters,
      ProxyOrders orders,
      Actions actions,
      Installer installer,
      InstantSource clock) {
    this.store = store;
    this.clusters = clusters;
    this.orders = orders;
    this.actions = actions;
    this.installer = installer;
    this.clock = clock;
  }

  public Optional<String> newest() {
    return installer.newest();
  }

  /** Why a proxy can't be upgraded to the newest version now; empty when it can. */
  public String problem(ProxyClusters.Member member) {
    Optional<String> newest = installer.newest();
    if (newest.isEmpty()) {
      return "this manager has no package of towline-proxy";
    }
    if (member.node().facts().getProgramVersion().equals(newest.get())) {
      return "it runs the newest version";
    }
    if (member.agent().isEmpty()) {
      return "no live channel: its host has no agent, which would replace it";
    }
    return member.agent().get().presence() == Presence.ONLINE
        ? ""
        : "no live channel: the agent on its host, which would replace it, is not online";
  }

  /**
   * Begins with all proxies of a cluster that don't run the newest version, or with one of them.
   *
   * @param proxy name or id; empty for all
   */
  public synchronized ProxyUpgradeRoll begin(String cluster, String proxy, String by) {
    List<ProxyClusters.Member> wanted =
        proxy.isEmpty() ? clusters.proxies(cluster) : List.of(clusters.proxy(proxy));
    String newest = installer.newest().orElse("");
    var roll = ProxyUpgradeRoll.newBuilder().setCreatedBy(by).setCreatedMs(clock.millis());
    String reason = "it has no proxy";
    for (ProxyClusters.Member member : wanted) {
      String problem = problem(member);
      if (!problem.isEmpty()) {
        reason = "proxy " + member.node().name() + ": " + problem;
      }
      boolean newestAlready = member.node().facts().getProgramVersion().equals(newest);
      if (newest.isEmpty() || newestAlready) {
        continue;
      }
      if (!problem.isEmpty()) {
        throw new TowlineException(NOT_OFFERED, reason, "mend that and try again");
      }
      roll.addProxies(
          ProxyUpgrade.newBuilder()
              .setProxy(member.node().id())
              .setName(member.node().name())
              .setFromVersion(member.node().facts().getProgramVersion())
              .setToVersion(newest)
              .setState(State.WAITING)
              .setChangedMs(clock.millis()));
    }
    String name = proxy.isEmpty() ? cluster : wanted.getFirst().node().proxyCluster();
    if (roll.getProxiesCount() == 0) {
      throw new TowlineException(
          NOT_OFFERED,
          "proxy cluster " + name + " has nothing to upgrade: " + reason,
          "see towline proxies list --cluster " + name);
    }
    return store.commit(tx -> {
      if (tx.proxyUpgrades().find(name).filter(last -> !last.getEnded()).isPresent()) {
        throw new TowlineException(
            UNDER_WAY,
            "an upgrade of proxy cluster " + name + " is under way",
            "wait for its end: towline proxies upgrades " + name);
      }
      ProxyUpgradeRoll begun = roll.setCluster(name).build();
      tx.proxyUpgrades().put(begun);
      return begun;
    });
  }

  /** The last one of a cluster. */
  public Optional<ProxyUpgradeRoll> last(String cluster) {
    var _ = clusters.cluster(cluster);
    return store.read(tx -> tx.proxyUpgrades().find(cluster));
  }

  /** Takes the steps that are due. */
  public synchronized void advance() {
    for (ProxyUpgradeRoll roll : store.read(tx -> tx.proxyUpgrades().underWay())) {
      ProxyUpgradeRoll next = stepped(roll);
      if (!next.equals(roll)) {
        store.commit(tx -> {
          tx.proxyUpgrades().put(next);
          return next;
        });
      }
    }
  }

  private ProxyUpgradeRoll stepped(ProxyUpgradeRoll roll) {
    for (int i = 0; i < roll.getProxiesCount(); i++) {
      ProxyUpgrade upgrade = roll.getProxies(i);
      if (isFinal(upgrade.getState())) {
        continue;
      }
      ProxyUpgrade next = stepped(upgrade);
      if (next.equals(upgrade)) {
        return roll;
      }
      log.info(
          "upgrade of proxy {} to {}: {} {}",
          next.getName(),
          next.getToVersion(),
          next.getState(),
          next.getDetail());
      var changed = roll.toBuilder().setProxies(i, next);
      return next.getState() == State.FAILED ? stopped(changed, i) : ended(changed);
    }
    return ended(roll.toBuilder());
  }

  private ProxyUpgrade stepped(ProxyUpgrade upgrade) {
    try {
      Optional<ProxyClusters.Member> found =
          clusters.proxies("").stream()
              .filter(member -> member.node().id().equals(upgrade.getProxy()))
              .findFirst();
      if (found.isEmpty()) {
        return to(upgrade, State.FAILED, "it is no proxy of the fleet any more");
      }
      ProxyClusters.Member member = found.get();
      if (isUpgraded(upgrade, member)) {
        return to(upgrade, State.SUCCEEDED, "");
      }
      boolean late =
          upgrade.getStartedMs() > 0 && clock.millis() - upgrade.getStartedMs() > LIMIT.toMillis();
      if (late) {
        return failed(
            upgrade,
            member,
            "it did not report version "
                + upgrade.getToVersion()
                + " within "
                + LIMIT.toMinutes()
                + " minutes");
      }
      return switch (upgrade.getState()) {
        case WAITING -> begun(upgrade, member);
        case DRAINING -> drained(upgrade, member);
        case INSTALLING -> installed(upgrade, member);
        case SUCCEEDED, FAILED, NOT_TRIED, STATE_UNSPECIFIED, UNRECOGNIZED -> upgrade;
      };
    } catch (TowlineException e) {
      return to(upgrade, State.FAILED, e.getMessage() == null ? e.toString() : e.getMessage());
    }
  }

  /** By what the proxy says of itself, never by what was acknowledged. */
  private static boolean isUpgraded(ProxyUpgrade upgrade, ProxyClusters.Member member) {
    return member.online()
        && member.node().facts().getProgramVersion().equals(upgrade.getToVersion());
  }

  private ProxyUpgrade begun(ProxyUpgrade waiting, ProxyClusters.Member member) {
    ProxyUpgrade upgrade = waiting.toBuilder().setStartedMs(clock.millis()).build();
    String problem = problem(member);
    if (!problem.isEmpty()) {
      return to(upgrade, State.FAILED, problem);
    }
    boolean others =
        clusters.proxies(member.node().proxyCluster()).stream()
            .anyMatch(other -> other.carries() && !other.node().id().equals(member.node().id()));
    if (!member.online() || !others) {
      return install(
          upgrade,
          member,
          member.clients() == 0
              ? ""
              : "; no other proxy can take over its %d agents: they wait until it is back"
                  .formatted(member.clients()));
    }
    Action drain = orders.drain(member.node().id(), DRAIN_LIMIT, "upgrade");
    return to(upgrade, State.DRAINING, "its agents move to the other proxies").toBuilder()
        .setAction(drain.getId())
        .build();
  }

  private ProxyUpgrade drained(ProxyUpgrade upgrade, ProxyClusters.Member member) {
    Optional<ActionTarget> end = ended(upgrade);
    if (end.isEmpty()) {
      return upgrade;
    }
    return end.get().getOutcome() == Outcome.OUTCOME_SUCCEEDED
        ? install(upgrade, member, "")
        : failed(upgrade, member, "not drained: " + end.get().getDetail());
  }

  /**
   * @param besides what the operator has to know
   */
  private ProxyUpgrade install(ProxyUpgrade upgrade, ProxyClusters.Member member, String besides) {
    Node host = member.agent().orElseThrow();
    InstallProgram program = installer.upgrade(host);
    Action action =
        actions
            .order(
                "upgrade proxy " + member.node().name() + " to " + program.getVersion(),
                host.name(),
                "upgrade",
                TAKE_UP,
                _ -> {
                  SequencedMap<String, DirectiveContent> told = new LinkedHashMap<>();
                  told.put(
                      host.id(), DirectiveContent.newBuilder().setInstallProgram(program).build());
                  return told;
                })
            .orElseThrow();
    return to(upgrade, State.INSTALLING, "the agent of its host replaces it" + besides).toBuilder()
        .setToVersion(program.getVersion())
        .setAction(action.getId())
        .build();
  }

  private ProxyUpgrade installed(ProxyUpgrade upgrade, ProxyClusters.Member member) {
    return ended(upgrade)
        .filter(end -> end.getOutcome() != Outcome.OUTCOME_SUCCEEDED)
        .map(end -> failed(upgrade, member, end.getDetail()))
        .orElse(upgrade);
  }

  private Optional<ActionTarget> ended(ProxyUpgrade upgrade) {
    Action action = actions.action(upgrade.getAction());
    return action.getEnded() ? action.getTargetsList().stream().findFirst() : Optional.empty();
  }

  /** It carries agents again, unless it was replaced and so has forgotten that it should not. */
  private ProxyUpgrade failed(ProxyUpgrade upgrade, ProxyClusters.Member member, String detail) {
    if (member.draining()) {
      var _ = orders.resume(member.node().id(), "upgrade");
    }
    return to(upgrade, State.FAILED, detail);
  }

  private ProxyUpgrade to(ProxyUpgrade upgrade, State state, String detail) {
    return upgrade.toBuilder()
        .setState(state)
        .setDetail(detail)
        .setChangedMs(clock.millis())
        .build();
  }

  private ProxyUpgradeRoll stopped(ProxyUpgradeRoll.Builder roll, int at) {
    for (int i = at + 1; i < roll.getProxiesCount(); i++) {
      roll.setProxies(
          i,
          to(
              roll.getProxies(i),
              State.NOT_TRIED,
              "stopped, because proxy " + roll.getProxies(at).getName() + " was not upgraded"));
    }
    return ended(roll);
  }

  private static ProxyUpgradeRoll ended(ProxyUpgradeRoll.Builder roll) {
    return roll.setEnded(
            roll.getProxiesList().stream().allMatch(upgrade -> isFinal(upgrade.getState())))
        .build();
  }

  private static boolean isFinal(State state) {
    return switch (state) {
      case SUCCEEDED, FAILED, NOT_TRIED -> true;
      case WAITING, DRAINING, INSTALLING, STATE_UNSPECIFIED, UNRECOGNIZED -> false;
    };
  }
}
