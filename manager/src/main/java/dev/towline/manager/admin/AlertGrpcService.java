package dev.towline.manager.admin;

import dev.towline.manager.alerts.AlertRoutes;
import dev.towline.manager.alerts.Alerts;
import dev.towline.manager.nodes.Hosts;
import dev.towline.proto.v1.Alert;
import dev.towline.proto.v1.AlertRoute;
import dev.towline.proto.v1.AlertServiceGrpc;
import dev.towline.proto.v1.ClearAlertRequest;
import dev.towline.proto.v1.DeleteAlertRouteRequest;
import dev.towline.proto.v1.DeleteAlertRouteResponse;
import dev.towline.proto.v1.GetAlertRequest;
import dev.towline.proto.v1.ListAlertRoutesRequest;
import dev.towline.proto.v1.ListAlertRoutesResponse;
import dev.towline.proto.v1.ListAlertsRequest;
import dev.towline.proto.v1.ListAlertsResponse;
import dev.towline.proto.v1.SetAlertRouteRequest;
import dev.towline.runtime.error.TowlineException;
import io.grpc.stub.StreamObserver;
import java.util.List;

final class AlertGrpcService extends AlertServiceGrpc.AlertServiceImplBase {
  private static final int USUAL_PAGE = 100;
  private static final int LARGEST_PAGE = 1000;

  private final Alerts alerts;
  private final AlertRoutes routes;
  private final Hosts hosts;

  AlertGrpcService(Alerts alerts, AlertRoutes routes, Hosts hosts) {
    this.alerts = alerts;
    this.routes = routes;
    this.hosts = hosts;
  }

  @Override
  public void listAlerts(ListAlertsRequest request, StreamObserver<ListAlertsResponse> out) {
    int size =
        Math.clamp(
            request.getPageSize() <= 0 ? USUAL_PAGE : request.getPageSize(), 1, LARGEST_PAGE);
    String host = request.getHost().isEmpty() ? "" : hosts.host(request.getHost()).id();
    List<dev.towline.manager.alerts.Alert> page =
        alerts.list(
            request.getAll(),
            request.getMembers() || !host.isEmpty(),
            host,
            before(request.getPageToken()),
            size);
    Replies.reply(
        out,
        ListAlertsResponse.newBuilder()
            .addAllAlerts(page.stream().map(AlertGrpcService::alert).toList())
            .setNextPageToken(page.size() < size ? "" : Long.toString(page.getLast().id()))
            .build());
  }

  @Override
  public void getAlert(GetAlertRequest request, StreamObserver<Alert> out) {
    Replies.reply(out, alert(alerts.alert(request.getAlert())));
  }

  @Override
  public void clearAlert(ClearAlertRequest request, StreamObserver<Alert> out) {
    Replies.reply(
        out, alert(alerts.clear(request.getAlert(), AccessInterceptor.principal().user())));
  }

  @Override
  public void listAlertRoutes(
      ListAlertRoutesRequest request, StreamObserver<ListAlertRoutesResponse> out) {
    Replies.reply(
        out,
        ListAlertRoutesResponse.newBuilder()
            .addAllRoutes(routes.list().stream().map(AlertGrpcService::route).toList())
            .build());
  }

  @Override
  public void setAlertRoute(SetAlertRouteRequest request, StreamObserver<AlertRoute> out) {
    Replies.reply(
        out, route(routes.set(request.getName(), request.getTarget(), request.getPassword())));
  }

  @Override
  public void deleteAlertRoute(
      DeleteAlertRouteRequest request, StreamObserver<DeleteAlertRouteResponse> out) {
    routes.delete(request.getRoute());
    Replies.reply(out, DeleteAlertRouteResponse.getDefaultInstance());
  }

  private static long before(String pageToken) {
    try {
      return pageToken.isEmpty() ? 0 : Long.parseLong(pageToken);
    } catch (NumberFormatException _) {
      throw new TowlineException(
          Hosts.PAGE_TOKEN_INVALID,
          "page token: " + pageToken + " (expected: one that a list gave)",
          "start the list again without a page token");
    }
  }

  private static Alert alert(dev.towline.manager.alerts.Alert alert) {
    return Alert.newBuilder()
        .setId(alert.id())
        .setKind(alert.kind().label())
        .setHostId(alert.subject())
        .setHostName(alert.name())
        .setMessage(alert.message())
        .setRaisedMs(alert.raisedMs())
        .setChangedMs(alert.changedMs())
        .setTimes(alert.times())
        .setClearedMs(alert.clearedMs())
        .setClearedBy(alert.clearedBy())
        .setSummary(alert.summary())
        .setByHand(!alert.kind().clearsItself())
        .build();
  }

  private static AlertRoute route(dev.towline.manager.alerts.AlertRoute route) {
    return AlertRoute.newBuilder()
        .setName(route.name())
        .setTarget(route.target())
        .setCreatedMs(route.createdMs())
        .setLastSentMs(route.lastSentMs())
        .setLastError(route.lastError())
        .build();
  }
}
