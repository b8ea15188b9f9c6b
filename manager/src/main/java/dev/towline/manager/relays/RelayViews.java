package dev.towline.manager.relays;

import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.relays.RelayStore.Pair;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.proto.v1.RelayLink;
import dev.towline.proto.v1.RelayReport;
import dev.towline.proto.v1.RelaySetting;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Relays as operators see them: what was set up, what the running program says. */
final class RelayViews {
  private final RelayReports reports;

  RelayViews(RelayReports reports) {
    this.reports = reports;
  }

  /** In order of name. */
  List<RelayInfo> all(Tx tx) {
    List<RelayRecord> relays = tx.relays().list();
    Map<String, String> names = names(relays);
    List<Pair> pairs = tx.relays().pairs();
    return relays.stream().map(relay -> view(tx, relay, pairs, names)).toList();
  }

  RelayInfo of(Tx tx, RelayRecord relay) {
    return view(tx, relay, tx.relays().pairs(), names(tx.relays().list()));
  }

  private static Map<String, String> names(List<RelayRecord> relays) {
    return relays.stream().collect(Collectors.toMap(RelayRecord::id, RelayRecord::name));
  }

  private RelayInfo view(Tx tx, RelayRecord relay, List<Pair> pairs, Map<String, String> names) {
    Optional<Node> node = tx.nodes().find(relay.id());
    RelayInfo.Builder info =
        RelayInfo.newBuilder()
            .setId(relay.id())
            .setName(relay.name())
            .setState(node.map(Node::state).orElse(HostState.HOST_STATE_UNSPECIFIED))
            .setVersion(node.map(known -> known.facts().getProgramVersion()).orElse(""))
            .setDialAddress(relay.dialAddress())
            .setDownstreamAddress(relay.downstreamAddress())
            .setSessionPort(relay.sessionPort())
            .setPublicPort(relay.publicPort())
            .setUpdatesPort(relay.updatesPort())
            .setLastSeenMs(node.map(Node::lastSeenMs).orElse(0L));
    for (Pair pair : pairs) {
      if (pair.childId().equals(relay.id())) {
        info.addParents(names.getOrDefault(pair.parentId(), pair.parentId()));
      }
      if (pair.parentId().equals(relay.id())) {
        info.addChildren(names.getOrDefault(pair.childId(), pair.childId()));
      }
    }
    Optional<RelayReports.Reported> reported = reports.of(relay.id());
    if (reported.isPresent()) {
      RelayReport report = reported.get().report();
      info.setReportedMs(reported.get().receivedMs())
          .addAllSettings(report.getSettingsList())
          .addAllListening(report.getListeningList());
      for (RelayLink link : report.getLinksList()) {
        String peer = names.getOrDefault(link.getPeer(), link.getPeer());
        info.addConnections(link.toBuilder().setPeerName(peer));
        info.addLinks(brief(link, peer));
      }
    } else {
      tx.relays()
          .settings(relay.id())
          .forEach((key, value) ->
              info.addSettings(
                  RelaySetting.newBuilder().setKey(key).setValue(value).setOrigin("manager")));
    }
    node.ifPresent(known -> info.addAllPending(pending(tx, known.id())));
    return info.build();
  }

  /** For instance {@code dmz#0 up 0.4 ms}. */
  private static String brief(RelayLink link, String peer) {
    String text = peer + "#" + link.getIndex() + " " + link.getState().toLowerCase(Locale.ROOT);
    return link.getState().equals("DOWN") || link.getRoundTripUs() == 0
        ? text
        : text + String.format(Locale.ROOT, " %.1f ms", link.getRoundTripUs() / 1000.0);
  }

  private static List<String> pending(Tx tx, String relay) {
    long accepted = tx.sessions().find(relay).orElseThrow().lastAccepted();
    List<String> pending = new ArrayList<>();
    for (var directive : tx.directives().after(relay, accepted, 1000)) {
      boolean open =
          directive.state() == DirectiveState.QUEUED
              || directive.state() == DirectiveState.DELIVERED;
      if (open && directive.kind() == DirectiveKind.DIRECTIVE_KIND_SET_RELAY_CHILDREN) {
        pending.add("child list");
      } else if (open && directive.kind() == DirectiveKind.DIRECTIVE_KIND_CONFIGURE_RELAY) {
        pending.add("settings");
      }
    }
    return pending;
  }
}
