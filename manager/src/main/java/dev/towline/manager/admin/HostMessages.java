package dev.towline.manager.admin;

import dev.towline.manager.nodes.Node;
import dev.towline.manager.paths.Feature;
import dev.towline.proto.v1.Host;
import dev.towline.runtime.identity.NodeIdentity;

/** Nodes as the admin API shows them. */
final class HostMessages {
  private HostMessages() {}

  static Host host(Node node, String fleet) {
    return Host.newBuilder()
        .setId(node.id())
        .setIdentity(new NodeIdentity(fleet, node.role(), node.id()).uri())
        .setName(node.name())
        .setGroup(node.group())
        .setState(node.state())
        .setFacts(node.facts())
        .setPath(node.path())
        .setEnrolledMs(node.enrolledMs())
        .setLastSeenMs(node.lastSeenMs())
        .setCertificateExpiresMs(node.certificateExpiresMs())
        .setInstallCommand(node.token())
        .setGeneration(node.generation())
        .setRegion(node.region())
        .setServiceProvider(node.serviceProvider())
        .addAllTags(node.tags())
        .setTlsProtocol(node.tlsProtocol())
        .setTlsCipherSuite(node.tlsCipherSuite())
        .setProxyCluster(node.proxyCluster())
        .setNote(node.note())
        .setPolicy(node.policy())
        .addAllNotOnPath(Feature.missingOn(node.path().getKind()))
        .build();
  }
}
