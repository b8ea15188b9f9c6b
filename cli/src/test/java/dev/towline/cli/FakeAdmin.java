package dev.towline.cli;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import dev.towline.cli.login.AdminConnections;
import dev.towline.cli.login.ManagerAddress;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionServiceGrpc;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.AuthServiceGrpc;
import dev.towline.proto.v1.ControlHostFirewallRequest;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.EnrollCloneRequest;
import dev.towline.proto.v1.ErrorInfo;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.GetRelayRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.HostServiceGrpc;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.HostTrace;
import dev.towline.proto.v1.InstallCommand;
import dev.towline.proto.v1.InstallCommandServiceGrpc;
import dev.towline.proto.v1.ListHostsRequest;
import dev.towline.proto.v1.ListHostsResponse;
import dev.towline.proto.v1.LiveOutput;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.PathHop;
import dev.towline.proto.v1.RelayAdminServiceGrpc;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.proto.v1.RelayLink;
import dev.towline.proto.v1.RelaySetting;
import dev.towline.proto.v1.ReleaseHostRequest;
import dev.towline.proto.v1.RevokeHostRequest;
import dev.towline.proto.v1.Role;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.proto.v1.SetChildListRequest;
import dev.towline.proto.v1.SignInRequest;
import dev.towline.proto.v1.SignInResponse;
import dev.towline.proto.v1.TargetState;
import dev.towline.proto.v1.TraceHop;
import dev.towline.proto.v1.UpdateHostsRequest;
import dev.towline.proto.v1.UpdateHostsResponse;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import io.grpc.BindableService;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;

/** A manager's admin services with two hosts, one of which fails what it runs. */
final class FakeAdmin implements AdminConnections, AutoCloseable {
  static final String PASSWORD = "correct horse";

  final List<RunActionRequest> runs = new ArrayList<>();

  /** Requests of other kinds. */
  final List<Message> received = new ArrayList<>();

  final List<CreateInstallCommandRequest> created = new ArrayList<>();
  final List<X509Certificate> chain;
  boolean failing;
  private final Server server;
  private final String name = InProcessServerBuilder.generateName();

  /**
   * @param more services that a test scripts itself
   */
  FakeAdmin(InstantSource clock, BindableService... more) throws IOException {
    var random = new SecureRandom();
    var root = CertificateAuthority.newRoot("f1", clock, random);
    var issuing = root.newIssuing();
    var leaf =
        issuing.issueLeaf(
            new NodeIdentity("f1", dev.towline.runtime.identity.Role.MANAGER, "m1"),
            Keys.newP256(random).getPublic(),
            Duration.ofDays(7));
    chain = List.of(leaf, issuing.certificate(), root.certificate());
    var services =
        InProcessServerBuilder.forName(name)
            .directExecutor()
            .addService(new Auth())
            .addService(new Hosts())
            .addService(new Relays())
            .addService(new Actions())
            .addService(new InstallCommands())
            .addService(new FakePolicies(received).policies())
            .addService(new FakePolicies(received).alerts());
    for (BindableService service : more) {
      services.addService(service);
    }
    server = services.build().start();
  }

  @Override
  public ManagedChannel open(
      ManagerAddress address, String fleet, List<X509Certificate> roots, String token) {
    return InProcessChannelBuilder.forName(name).directExecutor().build();
  }

  @Override
  public List<X509Certificate> presentedChain(ManagerAddress address) {
    return chain;
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private static RuntimeException error(Status.Code code, String name, String what, String remedy) {
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .setMessage(what)
            .addDetails(
                Any.pack(
                    ErrorInfo.newBuilder()
                        .setCode(name)
                        .setKind("USER")
                        .setMessage(what)
                        .setRemedy(remedy)
                        .build()))
            .build());
  }

  private static Host host(String id, String name, HostState state, Path path) {
    return Host.newBuilder()
        .setId(id)
        .setName(name)
        .setGroup("web")
        .setState(state)
        .setPath(path)
        .setLastSeenMs(1_000_000_000_000L - 12_000)
        .setFacts(HostFacts.newBuilder().setProgramVersion("0.1.0"))
        .build();
  }

  private static final class Auth extends AuthServiceGrpc.AuthServiceImplBase {
    @Override
    public void signIn(SignInRequest request, StreamObserver<SignInResponse> out) {
      if (!request.getPassword().equals(PASSWORD)) {
        out.onError(
            error(
                Status.Code.UNAUTHENTICATED,
                "SIGN_IN_FAILED",
                "user or password is wrong",
                "check both"));
        return;
      }
      out.onNext(
          SignInResponse.newBuilder()
              .setToken("t0k3n")
              .setExpiresMs(1_000_000_000_000L + Duration.ofHours(12).toMillis())
              .setPasswordChangeAdvised(true)
              .build());
      out.onCompleted();
    }
  }

  private final class Hosts extends HostServiceGrpc.HostServiceImplBase {
    @Override
    public void listHosts(ListHostsRequest request, StreamObserver<ListHostsResponse> out) {
      var response = ListHostsResponse.newBuilder().setTotal(2);
      if (request.getPageToken().isEmpty()) {
        response
            .addHosts(
                host(
                    "a1",
                    "web-1",
                    HostState.HOST_STATE_ONLINE,
                    Path.newBuilder().setKind(Path.Kind.DIRECT).build()))
            .setNextPageToken("2");
      } else {
        response.addHosts(
            host(
                "a2",
                "evil\u001b[2Jname",
                HostState.HOST_STATE_OFFLINE,
                Path.newBuilder()
                    .setKind(Path.Kind.RELAY)
                    .addHops(PathHop.newBuilder().setRole(Role.ROLE_RELAY).setName("dmz"))
                    .addHops(PathHop.newBuilder().setRole(Role.ROLE_RELAY).setName("hq"))
                    .build()));
      }
      out.onNext(response.build());
      out.onCompleted();
    }

    @Override
    public void getHostTrace(GetHostRequest request, StreamObserver<HostTrace> out) {
      out.onNext(
          HostTrace.newBuilder()
              .addHops(
                  TraceHop.newBuilder()
                      .setRole(Role.ROLE_AGENT)
                      .setName("web-1")
                      .setAddress("192.0.2.9:4711")
                      .setRoundTripUs(2500)
                      .setLegUs(1250)
                      .setTls("TLSv1.3 TLS_AES_256_GCM_SHA384"))
              .addHops(
                  TraceHop.newBuilder()
                      .setRole(Role.ROLE_RELAY)
                      .setName("dmz")
                      .setRoundTripUs(1250)
                      .setLegUs(900)
                      .setLegMeasured(true))
              .addHops(
                  TraceHop.newBuilder()
                      .setRole(Role.ROLE_RELAY)
                      .setName("hq")
                      .setProblem("no answer within 5 s"))
              .addHops(TraceHop.newBuilder().setRole(Role.ROLE_MANAGER).setName("manager"))
              .build());
      out.onCompleted();
    }

    @Override
    public void revokeHost(RevokeHostRequest request, StreamObserver<Host> out) {
      received.add(request);
      out.onNext(Host.newBuilder().setName(request.getHost()).setId("h1").build());
      out.onCompleted();
    }

    @Override
    public void releaseHost(ReleaseHostRequest request, StreamObserver<Host> out) {
      received.add(request);
      out.onNext(Host.newBuilder().setName(request.getHost()).setId("h1").build());
      out.onCompleted();
    }

    @Override
    public void enrollClone(EnrollCloneRequest request, StreamObserver<Host> out) {
      received.add(request);
      out.onNext(Host.newBuilder().setName(request.getHost()).setId("h1").build());
      out.onCompleted();
    }

    @Override
    public void controlHostFirewall(
        ControlHostFirewallRequest request, StreamObserver<Action> out) {
      received.add(request);
      out.onNext(
          Action.newBuilder()
              .setId("act1")
              .addTargets(ActionTarget.newBuilder().setHostId("a2").setHostName("database"))
              .build());
      out.onCompleted();
    }

    @Override
    public void updateHosts(UpdateHostsRequest request, StreamObserver<UpdateHostsResponse> out) {
      received.add(request);
      out.onNext(
          UpdateHostsResponse.newBuilder()
              .setChanged(request.getSelector().equals("name=nobody") ? 0 : 2)
              .build());
      out.onCompleted();
    }

    @Override
    public void getHost(GetHostRequest request, StreamObserver<Host> out) {
      out.onError(
          error(
              Status.Code.NOT_FOUND,
              "HOST_NOT_FOUND",
              "host: " + request.getHost() + " (no host has this name or id)",
              "towline hosts list shows all"));
    }
  }

  private final class Relays extends RelayAdminServiceGrpc.RelayAdminServiceImplBase {
    @Override
    public void setChildList(SetChildListRequest request, StreamObserver<RelayInfo> out) {
      received.add(request);
      if (request.getChildrenCount() == 0) {
        out.onError(
            error(
                Status.Code.INVALID_ARGUMENT,
                "RELAY_INVALID",
                "child list of hq: empty (expected: at least one child)",
                "correct it and try again"));
        return;
      }
      out.onNext(RelayInfo.newBuilder().addAllChildren(request.getChildrenList()).build());
      out.onCompleted();
    }

    @Override
    public void getRelay(GetRelayRequest request, StreamObserver<RelayInfo> out) {
      out.onNext(
          RelayInfo.newBuilder()
              .setName(request.getRelay())
              .setId("r1")
              .setState(HostState.HOST_STATE_ONLINE)
              .addParents("hq")
              .setReportedMs(1_000_000_000_000L - 3_000)
              .addConnections(
                  RelayLink.newBuilder()
                      .setPeerName("hq")
                      .setToParent(true)
                      .setState("UP")
                      .setAddress("10.0.0.2:40000")
                      .setSinceMs(1_000_000_000_000L - 60_000)
                      .setRoundTripUs(1250)
                      .setReserve(16)
                      .setOpen(3)
                      .setStalled(1)
                      .setOpened(40)
                      .setBytesSent(1000)
                      .setBytesReceived(2000)
                      .setLastError("no answer to pings"))
              .addSettings(
                  RelaySetting.newBuilder()
                      .setKey("connections")
                      .setValue("6")
                      .setOrigin("manager"))
              .build());
      out.onCompleted();
    }
  }

  private final class Actions extends ActionServiceGrpc.ActionServiceImplBase {
    private Action action = Action.getDefaultInstance();

    @Override
    public void runAction(RunActionRequest request, StreamObserver<Action> out) {
      runs.add(request);
      var builder = Action.newBuilder().setId("act1").setSelector(request.getSelector());
      if (!request.getSelector().equals("none")) {
        builder
            .addTargets(ActionTarget.newBuilder().setHostId("a1").setHostName("web-1"))
            .addTargets(ActionTarget.newBuilder().setHostId("a2").setHostName("database"));
      }
      action = builder.build();
      out.onNext(action);
      out.onCompleted();
    }

    @Override
    public void watchAction(GetActionRequest request, StreamObserver<ActionEvent> out) {
      out.onNext(output("a1", "web-1", 0, "one\ntw"));
      out.onNext(output("a2", "database", 0, "first\n"));
      out.onNext(output("a1", "web-1", 4, "two\n"));
      var ended =
          action.toBuilder()
              .clearTargets()
              .addTargets(ended("a1", "web-1", "one\ntwo\nthree", 0))
              .addTargets(ended("a2", "database", "first\n", failing ? 3 : 0))
              .setEnded(true)
              .build();
      out.onNext(ActionEvent.newBuilder().setTarget(ended.getTargets(0)).build());
      out.onNext(ActionEvent.newBuilder().setEnded(ended).build());
      out.onCompleted();
    }

    private static ActionEvent output(String id, String name, int offset, String data) {
      return ActionEvent.newBuilder()
          .setOutput(
              LiveOutput.newBuilder()
                  .setHostId(id)
                  .setHostName(name)
                  .setOffset(offset)
                  .setData(ByteString.copyFromUtf8(data)))
          .build();
    }

    private static ActionTarget ended(String id, String name, String output, int exit) {
      return ActionTarget.newBuilder()
          .setHostId(id)
          .setHostName(name)
          .setState(TargetState.TARGET_STATE_ENDED)
          .setOutcome(exit == 0 ? Outcome.OUTCOME_SUCCEEDED : Outcome.OUTCOME_FAILED)
          .setExitStatus(exit)
          .setOutput(ByteString.copyFromUtf8(output))
          .build();
    }
  }

  private final class InstallCommands
      extends InstallCommandServiceGrpc.InstallCommandServiceImplBase {
    @Override
    public void createInstallCommand(
        CreateInstallCommandRequest request, StreamObserver<CreatedInstallCommand> out) {
      created.add(request);
      out.onNext(
          CreatedInstallCommand.newBuilder()
              .setCommand(InstallCommand.newBuilder().setId("tok1").setGroup(request.getGroup()))
              .setCurlLine("curl line")
              .setWgetLine("wget line")
              .setEnrollmentFile("{\"token-id\":\"tok1\"}")
              .build());
      out.onCompleted();
    }
  }
}
