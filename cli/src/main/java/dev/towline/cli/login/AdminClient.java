package dev.towline.cli.login;

import dev.towline.proto.v1.ActionServiceGrpc;
import dev.towline.proto.v1.AlertServiceGrpc;
import dev.towline.proto.v1.AuthServiceGrpc;
import dev.towline.proto.v1.CaServiceGrpc;
import dev.towline.proto.v1.EventServiceGrpc;
import dev.towline.proto.v1.GroupServiceGrpc;
import dev.towline.proto.v1.HostServiceGrpc;
import dev.towline.proto.v1.InstallCommandServiceGrpc;
import dev.towline.proto.v1.LogServiceGrpc;
import dev.towline.proto.v1.PolicyServiceGrpc;
import dev.towline.proto.v1.ProxyClusterServiceGrpc;
import dev.towline.proto.v1.RelayAdminServiceGrpc;
import dev.towline.proto.v1.SendingPolicyServiceGrpc;
import dev.towline.proto.v1.UpdateServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.stub.AbstractStub;
import java.util.concurrent.TimeUnit;

/** The admin services of one manager over one channel. */
public final class AdminClient implements AutoCloseable {
  private static final long CALL_SECONDS = 30;

  /** A publication is put on the manager's disk before it is confirmed. */
  private static final long UPDATE_SECONDS = 300;

  private final String url;
  private final ManagedChannel channel;

  public AdminClient(String url, ManagedChannel channel) {
    this.url = url;
    this.channel = channel;
  }

  public String url() {
    return url;
  }

  public AuthServiceGrpc.AuthServiceBlockingStub auth() {
    return limited(AuthServiceGrpc.newBlockingStub(channel));
  }

  public HostServiceGrpc.HostServiceBlockingStub hosts() {
    return limited(HostServiceGrpc.newBlockingStub(channel));
  }

  public ActionServiceGrpc.ActionServiceBlockingStub actions() {
    return limited(ActionServiceGrpc.newBlockingStub(channel));
  }

  /** Without a time limit: a watch lasts as long as the action. */
  public ActionServiceGrpc.ActionServiceBlockingStub actionWatches() {
    return ActionServiceGrpc.newBlockingStub(channel);
  }

  public InstallCommandServiceGrpc.InstallCommandServiceBlockingStub installCommands() {
    return limited(InstallCommandServiceGrpc.newBlockingStub(channel));
  }

  public ProxyClusterServiceGrpc.ProxyClusterServiceBlockingStub proxyClusters() {
    return limited(ProxyClusterServiceGrpc.newBlockingStub(channel));
  }

  public CaServiceGrpc.CaServiceBlockingStub ca() {
    return limited(CaServiceGrpc.newBlockingStub(channel));
  }

  public GroupServiceGrpc.GroupServiceBlockingStub groups() {
    return limited(GroupServiceGrpc.newBlockingStub(channel));
  }

  public AlertServiceGrpc.AlertServiceBlockingStub alerts() {
    return limited(AlertServiceGrpc.newBlockingStub(channel));
  }

  public PolicyServiceGrpc.PolicyServiceBlockingStub policies() {
    return limited(PolicyServiceGrpc.newBlockingStub(channel));
  }

  public RelayAdminServiceGrpc.RelayAdminServiceBlockingStub relays() {
    return limited(RelayAdminServiceGrpc.newBlockingStub(channel));
  }

  public EventServiceGrpc.EventServiceBlockingStub events() {
    return limited(EventServiceGrpc.newBlockingStub(channel));
  }

  public LogServiceGrpc.LogServiceBlockingStub logs() {
    return limited(LogServiceGrpc.newBlockingStub(channel));
  }

  public SendingPolicyServiceGrpc.SendingPolicyServiceBlockingStub sendingPolicies() {
    return limited(SendingPolicyServiceGrpc.newBlockingStub(channel));
  }

  public UpdateServiceGrpc.UpdateServiceBlockingStub updates() {
    return UpdateServiceGrpc.newBlockingStub(channel)
        .withDeadlineAfter(UPDATE_SECONDS, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  private static <S extends AbstractStub<S>> S limited(S stub) {
    return stub.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
  }
}
