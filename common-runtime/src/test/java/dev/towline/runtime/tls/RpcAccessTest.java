package dev.towline.runtime.tls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.testing.Requirement;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Over real TLS on loopback: what counts is what the server answers, not what the table says. */
@Requirement("T3")
class RpcAccessTest {
  private static final MethodDescriptor.Marshaller<byte[]> BYTES =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        }
      };

  private final SecureRandom random = new SecureRandom();
  private final CertificateAuthority root =
      CertificateAuthority.newRoot("fleet-1", Clock.systemUTC(), random);
  private final CertificateAuthority issuing = root.newIssuing();
  private final Map<String, Boolean> revoked = new ConcurrentHashMap<>();
  private final PeerVerifier verifier = verifierOf(root);
  private final List<String> denials = new CopyOnWriteArrayList<>();
  private final IssuedIdentity manager = issue(issuing, "fleet-1", Role.MANAGER, "m1");
  private Server server;

  @BeforeEach
  void start() throws IOException {
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .sslContext(FleetTls.server(() -> Optional.of(manager), verifier, ClientAuth.OPTIONAL))
            .intercept(
                new PeerInterceptor(verifier, (method, peer, reason) -> denials.add(method)));
    Map<String, ServerServiceDefinition.Builder> services = new HashMap<>();
    for (String method : RpcAccess.methods()) {
      services
          .computeIfAbsent(
              MethodDescriptor.extractFullServiceName(method), ServerServiceDefinition::builder)
          .addMethod(
              ServerMethodDefinition.create(
                  method(method),
                  ServerCalls.asyncUnaryCall(
                      (byte[] request, io.grpc.stub.StreamObserver<byte[]> answer) -> {
                        answer.onNext(request);
                        answer.onCompleted();
                      })));
    }
    services.values().forEach(service -> builder.addService(service.build()));
    server = builder.build().start();
  }

  @AfterEach
  void stop() {
    server.shutdownNow();
  }

  @Test
  void call_everyRoleAndMethod_passesOnlyWhereTheTableAllows() {
    for (Role role : Role.values()) {
      IssuedIdentity caller = issue(issuing, "fleet-1", role, "x-" + role.label());
      for (String method : RpcAccess.methods()) {
        Status.Code expected =
            RpcAccess.callersOf(method).contains(role)
                ? Status.Code.OK
                : Status.Code.PERMISSION_DENIED;
        assertEquals(expected, call(Optional.of(caller), method), role + " calls " + method);
      }
    }
    assertTrue(denials.size() > 4, "each refused call is heard of");
  }

  @Test
  void call_withoutCertificate_reachesOnlyEnrollment() {
    for (String method : RpcAccess.methods()) {
      Status.Code expected =
          RpcAccess.isOpenToAnyone(method) ? Status.Code.OK : Status.Code.UNAUTHENTICATED;
      assertEquals(expected, call(Optional.empty(), method), method);
    }
  }

  @Test
  void call_fromAnotherFleetOfTheSameName_failsInTheHandshake() {
    CertificateAuthority foreign =
        CertificateAuthority.newRoot("fleet-1", Clock.systemUTC(), random).newIssuing();
    IssuedIdentity stranger = issue(foreign, "fleet-1", Role.AGENT, "a1");
    assertEquals(
        Status.Code.UNAVAILABLE, call(Optional.of(stranger), "towline.v1.SessionService/Open"));
  }

  @Test
  void call_afterRevocation_isRefused() {
    IssuedIdentity agent = issue(issuing, "fleet-1", Role.AGENT, "a1");
    String open = "towline.v1.SessionService/Open";
    ManagedChannel channel = channel(Optional.of(agent), peer -> true);
    try {
      assertEquals(Status.Code.OK, call(channel, open));
      revoked.put("a1", true);
      assertEquals(Status.Code.UNAUTHENTICATED, call(channel, open), "on the same transport");
    } finally {
      channel.shutdownNow();
    }
    assertEquals(Status.Code.UNAVAILABLE, call(Optional.of(agent), open), "on a new one");
  }

  @Test
  void dial_peerWithAnotherRole_failsInTheHandshake() {
    IssuedIdentity agent = issue(issuing, "fleet-1", Role.AGENT, "a1");
    ManagedChannel channel = channel(Optional.of(agent), peer -> peer.role() == Role.PROXY);
    try {
      assertEquals(Status.Code.UNAVAILABLE, call(channel, "towline.v1.SessionService/Open"));
    } finally {
      channel.shutdownNow();
    }
  }

  private Status.Code call(Optional<IssuedIdentity> caller, String method) {
    ManagedChannel channel = channel(caller, peer -> peer.role() == Role.MANAGER);
    try {
      return call(channel, method);
    } finally {
      channel.shutdownNow();
    }
  }

  private static Status.Code call(ManagedChannel channel, String method) {
    try {
      ClientCalls.blockingUnaryCall(channel, method(method), CallOptions.DEFAULT, new byte[8]);
      return Status.Code.OK;
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode();
    }
  }

  private ManagedChannel channel(
      Optional<IssuedIdentity> caller, Predicate<NodeIdentity> expected) {
    return NettyChannelBuilder.forAddress(server.getListenSockets().getFirst())
        .sslContext(FleetTls.client(() -> caller, verifier, expected))
        .build();
  }

  private PeerVerifier verifierOf(CertificateAuthority trusted) {
    TrustAnchors anchors = new TrustAnchors("fleet-1", List.of(trusted.certificate()));
    Revocations revocations = (identity, serial) -> revoked.containsKey(identity.id());
    return new PeerVerifier(() -> anchors, revocations, Clock.systemUTC());
  }

  private static MethodDescriptor<byte[], byte[]> method(String fullName) {
    return MethodDescriptor.newBuilder(BYTES, BYTES)
        .setType(MethodDescriptor.MethodType.UNARY)
        .setFullMethodName(fullName)
        .build();
  }

  private IssuedIdentity issue(CertificateAuthority by, String fleet, Role role, String id) {
    KeyPair pair = Keys.newP256(random);
    NodeIdentity identity = new NodeIdentity(fleet, role, id);
    return new IssuedIdentity(
        identity,
        pair.getPrivate(),
        List.of(by.issueLeaf(identity, pair.getPublic(), Duration.ofDays(30)), by.certificate()));
  }
}
