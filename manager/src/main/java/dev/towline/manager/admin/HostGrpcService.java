package dev.towline.manager.admin;

import dev.towline.manager.dialling.AgentDialer;
import dev.towline.manager.firewall.FirewallOrders;
import dev.towline.manager.heartbeat.Heartbeats;
import dev.towline.manager.nodes.HostChange;
import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.paths.PathTraces;
import dev.towline.manager.proxies.ClientMoves;
import dev.towline.manager.session.Sessions;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ControlHostFirewallRequest;
import dev.towline.proto.v1.EnrollCloneRequest;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostServiceGrpc;
import dev.towline.proto.v1.HostTrace;
import dev.towline.proto.v1.ListHostsRequest;
import dev.towline.proto.v1.ListHostsResponse;
import dev.towline.proto.v1.ReleaseHostRequest;
import dev.towline.proto.v1.RevokeHostRequest;
import dev.towline.proto.v1.UpdateHostsRequest;
import dev.towline.proto.v1.UpdateHostsResponse;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import io.grpc.stub.StreamObserver;
import java.time.InstantSource;
import java.util.Optional;

final class HostGrpcService extends HostServiceGrpc.HostServiceImplBase {
  private static final ErrorCode IS_A_RELAY = ErrorCode.user("HOST_IS_A_RELAY");
  private static final ErrorCode NOT_QUARANTINED = ErrorCode.user("HOST_NOT_QUARANTINED");

  private final Hosts hosts;
  private final Sessions sessions;
  private final PathTraces traces;
  private final Heartbeats heartbeats;
  private final FirewallOrders firewalls;
  private final AgentDialer dialer;
  private final String fleet;
  private final InstantSource clock;

  HostGrpcService(
      Hosts hosts,
      Sessions sessions,
      PathTraces traces,
      Heartbeats heartbeats,
      FirewallOrders firewalls,
      AgentDialer dialer,
      String fleet,
      InstantSource clock) {
    this.heartbeats = heartbeats;
    this.firewalls = firewalls;
    this.dialer = dialer;
    this.clock = clock;
    this.hosts = hosts;
    this.sessions = sessions;
    this.traces = traces;
    this.fleet = fleet;
  }

  @Override
  public void getHostTrace(GetHostRequest request, StreamObserver<HostTrace> out) {
    Node node = hosts.host(request.getHost());
    Replies.reply(
        out, HostTrace.newBuilder().setHost(host(node)).addAllHops(traces.trace(node)).build());
  }

  @Override
  public void revokeHost(RevokeHostRequest request, StreamObserver<Host> out) {
    Node node = hosts.hostOrNode(request.getHost());
    if (node.role() == Role.RELAY) {
      throw new TowlineException(
          IS_A_RELAY,
          "host: " + node.name() + " is a relay, which has to come off the child lists too",
          "towline relays revoke " + node.name());
    }
    String reason = request.getReason().isBlank() ? "by an operator" : request.getReason();
    Replies.reply(out, host(sessions.revoke(node.id(), reason)));
  }

  @Override
  public void releaseHost(ReleaseHostRequest request, StreamObserver<Host> out) {
    Node node = hosts.hostOrNode(request.getHost());
    if (node.quarantine().isEmpty()) {
      throw new TowlineException(
          NOT_QUARANTINED,
          "host: " + node.name() + " is not in quarantine",
          "none is needed; see towline hosts show " + node.name());
    }
    sessions.release(node.id());
    Replies.reply(out, host(hosts.node(node.id()).orElseThrow()));
  }

  @Override
  public void enrollClone(EnrollCloneRequest request, StreamObserver<Host> out) {
    Node node = hosts.host(request.getHost());
    sessions.enrollClone(node);
    Replies.reply(out, host(node));
  }

  @Override
  public void listHosts(ListHostsRequest request, StreamObserver<ListHostsResponse> out) {
    Hosts.Page page =
        hosts.list(request.getSelector(), request.getPageSize(), request.getPageToken());
    Replies.reply(
        out,
        ListHostsResponse.newBuilder()
            .addAllHosts(page.nodes().stream().map(this::host).toList())
            .setNextPageToken(page.nextPageToken())
            .setTotal(page.total())
            .build());
  }

  @Override
  public void getHost(GetHostRequest request, StreamObserver<Host> out) {
    Node node = hosts.host(request.getHost());
    Host.Builder host = host(node).toBuilder();
    heartbeats.report(node.id()).ifPresent(host::setReport);
    dialer.problem(node.id()).ifPresent(host::setDialProblem);
    Replies.reply(out, host.build());
  }

  @Override
  public void updateHosts(UpdateHostsRequest request, StreamObserver<UpdateHostsResponse> out) {
    if (request.getSelector().isBlank()) {
      throw new TowlineException(
          ClientMoves.SELECTOR_MISSING,
          "selector: empty (expected: a selector, or all)",
          "say which hosts are to be changed, for instance group=web");
    }
    int changed =
        hosts.update(
            Selector.parse(request.getSelector()),
            new HostChange(
                request.hasGroup() ? Optional.of(request.getGroup()) : Optional.empty(),
                request.hasRegion() ? Optional.of(request.getRegion()) : Optional.empty(),
                request.hasServiceProvider()
                    ? Optional.of(request.getServiceProvider())
                    : Optional.empty(),
                request.getAddTagsList(),
                request.getRemoveTagsList()),
            clock.millis());
    Replies.reply(out, UpdateHostsResponse.newBuilder().setChanged(changed).build());
  }

  @Override
  public void controlHostFirewall(ControlHostFirewallRequest request, StreamObserver<Action> out) {
    Replies.reply(
        out,
        firewalls.tell(
            request.getHost(), request.getOrder(), AccessInterceptor.principal().user()));
  }

  private Host host(Node node) {
    return HostMessages.host(node, fleet);
  }
}
