package dev.towline.manager.updates;

import dev.towline.manager.heartbeat.Heartbeats;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.policies.PolicyTree;
import dev.towline.manager.store.Store;
import dev.towline.proto.v1.ComponentReport;
import dev.towline.proto.v1.ComponentStatus;
import dev.towline.proto.v1.HostReport;
import dev.towline.proto.v1.HostUpdate;
import dev.towline.proto.v1.UpdateStatus;
import dev.towline.runtime.policy.UpdatePolicy;
import dev.towline.runtime.updates.Release;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** How far updates came: what hosts shall have by policy, and what they said they have (U4). */
public final class UpdateReports {
  private static final int MOST_HOSTS = 100;

  private final Store store;
  private final UpdateRepository repository;
  private final Policies policies;
  private final Heartbeats heartbeats;

  public UpdateReports(
      Store store, UpdateRepository repository, Policies policies, Heartbeats heartbeats) {
    this.store = store;
    this.repository = repository;
    this.policies = policies;
    this.heartbeats = heartbeats;
  }

  public UpdateStatus status() {
    Map<String, ComponentStatus.Builder> components = new TreeMap<>();
    repository.releases().stream()
        .filter(Release::current)
        .forEach(release -> at(components, release.component()).setVersion(release.version()));
    PolicyTree tree = policies.tree();
    Map<String, String> byPolicy = new HashMap<>();
    for (var host : store.read(tx -> tx.heartbeats().hosts())) {
      String wanted =
          tree.host(host.id()).isPresent()
              ? tree.value(host.id(), host.policy(), UpdatePolicy.COMPONENTS)
              : byPolicy.computeIfAbsent(
                  tree.counting(host.policy()),
                  policy -> tree.value("", policy, UpdatePolicy.COMPONENTS));
      HostReport report = heartbeats.report(host.id()).orElseGet(HostReport::getDefaultInstance);
      for (String component : UpdatePolicy.components(wanted).keySet()) {
        count(at(components, component), host.id(), host.name(), report);
      }
    }
    var status = UpdateStatus.newBuilder();
    components.values().forEach(status::addComponents);
    return status.build();
  }

  private static ComponentStatus.Builder at(
      Map<String, ComponentStatus.Builder> components, String name) {
    return components.computeIfAbsent(
        name, component -> ComponentStatus.newBuilder().setComponent(component));
  }

  private static void count(
      ComponentStatus.Builder status, String id, String name, HostReport report) {
    status.setHosts(status.getHosts() + 1);
    Optional<ComponentReport> said =
        report.getUpdates().getComponentsList().stream()
            .filter(component -> component.getComponent().equals(status.getComponent()))
            .findFirst();
    String version = said.map(ComponentReport::getVersion).orElse("");
    if (!version.isEmpty() && version.equals(status.getVersion())) {
      status.setApplied(status.getApplied() + 1);
    } else if (status.getOtherHostsCount() < MOST_HOSTS) {
      status.addOtherHosts(
          HostUpdate.newBuilder()
              .setHostId(id)
              .setHostName(name)
              .setVersion(version)
              .setSource(said.map(ComponentReport::getSource).orElse(""))
              .setDetail(said.map(ComponentReport::getDetail).orElse("nothing said yet")));
    }
  }
}
