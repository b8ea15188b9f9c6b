package dev.towline.cli;

import com.google.protobuf.Message;
import dev.towline.proto.v1.Alert;
import dev.towline.proto.v1.AlertRoute;
import dev.towline.proto.v1.AlertServiceGrpc;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.ClearAlertRequest;
import dev.towline.proto.v1.EffectiveSetting;
import dev.towline.proto.v1.GetAlertRequest;
import dev.towline.proto.v1.GetHostPolicyRequest;
import dev.towline.proto.v1.GetPolicyHistoryRequest;
import dev.towline.proto.v1.HostPolicy;
import dev.towline.proto.v1.ListAlertRoutesRequest;
import dev.towline.proto.v1.ListAlertRoutesResponse;
import dev.towline.proto.v1.ListAlertsRequest;
import dev.towline.proto.v1.ListAlertsResponse;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.PolicyDocument;
import dev.towline.proto.v1.PolicyHistory;
import dev.towline.proto.v1.PolicyServiceGrpc;
import dev.towline.proto.v1.PolicyVersion;
import dev.towline.proto.v1.SetAlertRouteRequest;
import dev.towline.proto.v1.SettingChange;
import io.grpc.stub.StreamObserver;
import java.util.List;

/** Policies and alerts of a faked manager: notes what is asked, answers always the same. */
final class FakePolicies {
  private static final long NOW = 1_000_000_000_000L;

  private final List<Message> received;

  FakePolicies(List<Message> received) {
    this.received = received;
  }

  private <T> void answer(Message request, StreamObserver<T> out, T response) {
    received.add(request);
    out.onNext(response);
    out.onCompleted();
  }

  private static PolicyChange change() {
    return PolicyChange.newBuilder()
        .addLevels(
            SettingChange.newBuilder()
                .setSubject("policy web")
                .setSetting("heartbeat.interval")
                .setAfter("30s"))
        .addHosts(
            SettingChange.newBuilder()
                .setSubject("host web-1")
                .setSetting("heartbeat.interval")
                .setBefore("1m")
                .setAfter("30s"))
        .setHostsChanged(1)
        .setHostsToTell(1)
        .build();
  }

  private static Alert alert(long id) {
    return Alert.newBuilder()
        .setId(id)
        .setKind("clock-changed")
        .setHostName("web-1")
        .setMessage("the clock was set back by 360 s")
        .setRaisedMs(NOW - 60_000)
        .setTimes(2)
        .setByHand(true)
        .build();
  }

  PolicyServiceGrpc.PolicyServiceImplBase policies() {
    return new PolicyServiceGrpc.PolicyServiceImplBase() {
      @Override
      public void changeSettings(ChangeSettingsRequest request, StreamObserver<PolicyChange> out) {
        answer(request, out, change());
      }

      @Override
      public void applyPolicies(PolicyDocument request, StreamObserver<PolicyChange> out) {
        answer(request, out, change());
      }

      @Override
      public void getPolicyDiff(PolicyDocument request, StreamObserver<PolicyChange> out) {
        answer(request, out, change());
      }

      @Override
      public void getHostPolicy(GetHostPolicyRequest request, StreamObserver<HostPolicy> out) {
        answer(
            request,
            out,
            HostPolicy.newBuilder()
                .setHostName(request.getHost())
                .setPolicy("web")
                .setUpToDate(true)
                .addSettings(
                    EffectiveSetting.newBuilder()
                        .setName("connection.direction")
                        .setValue("manager-initiated")
                        .setLevel("policy web"))
                .build());
      }

      @Override
      public void getPolicyHistory(
          GetPolicyHistoryRequest request, StreamObserver<PolicyHistory> out) {
        answer(
            request,
            out,
            PolicyHistory.newBuilder()
                .addVersions(
                    PolicyVersion.newBuilder()
                        .setVersion(2)
                        .setAuthor("ann")
                        .setChangedMs(NOW - 60_000)
                        .setChange("heartbeat.interval: inherited -> 30s"))
                .build());
      }
    };
  }

  AlertServiceGrpc.AlertServiceImplBase alerts() {
    return new AlertServiceGrpc.AlertServiceImplBase() {
      @Override
      public void listAlerts(ListAlertsRequest request, StreamObserver<ListAlertsResponse> out) {
        answer(
            request,
            out,
            request.getHost().equals("quiet")
                ? ListAlertsResponse.getDefaultInstance()
                : ListAlertsResponse.newBuilder().addAlerts(alert(17)).build());
      }

      @Override
      public void getAlert(GetAlertRequest request, StreamObserver<Alert> out) {
        answer(request, out, alert(request.getAlert()));
      }

      @Override
      public void clearAlert(ClearAlertRequest request, StreamObserver<Alert> out) {
        answer(
            request,
            out,
            alert(request.getAlert()).toBuilder().setClearedMs(NOW).setClearedBy("ann").build());
      }

      @Override
      public void setAlertRoute(SetAlertRouteRequest request, StreamObserver<AlertRoute> out) {
        answer(
            request,
            out,
            AlertRoute.newBuilder()
                .setName(request.getName())
                .setTarget(request.getTarget())
                .build());
      }

      @Override
      public void listAlertRoutes(
          ListAlertRoutesRequest request, StreamObserver<ListAlertRoutesResponse> out) {
        answer(
            request,
            out,
            ListAlertRoutesResponse.newBuilder()
                .addRoutes(
                    AlertRoute.newBuilder()
                        .setName("chat")
                        .setTarget("https://chat.example/hooks/1")
                        .setLastError("answer 500"))
                .build());
      }
    };
  }
}
