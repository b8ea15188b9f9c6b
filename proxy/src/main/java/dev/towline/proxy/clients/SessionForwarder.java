package dev.towline.proxy.clients;

import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.UpFrame;
import dev.towline.proxy.uplink.AgentLink;
import dev.towline.proxy.uplink.AgentPort;
import dev.towline.proxy.uplink.UplinkMux;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.tls.PeerInterceptor;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.SynchronizationContext;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * SessionService as a proxy answers it: every stream becomes a link of the uplink.
 *
 * <p>Threading: gRPC's callbacks pass through the serial order, in which all calls on a stream are
 * made. An idle stream costs this object, its link and nothing else here.
 */
public final class SessionForwarder implements ServerCallHandler<UpFrame, DownFrame> {
  private final UplinkMux mux;
  private final SynchronizationContext serial;

  public SessionForwarder(UplinkMux mux, SynchronizationContext serial) {
    this.mux = mux;
    this.serial = serial;
  }

  public ServerServiceDefinition service() {
    return ServerServiceDefinition.builder(SessionServiceGrpc.getServiceDescriptor())
        .addMethod(SessionServiceGrpc.getOpenMethod(), this)
        .build();
  }

  @Override
  public ServerCall.Listener<UpFrame> startCall(
      ServerCall<UpFrame, DownFrame> call, Metadata headers) {
    PeerInterceptor.Peer peer = PeerInterceptor.PEER.get();
    String identity = peer.identity().uri();
    String certificate = Fingerprints.serial(peer.leaf());
    String source = addressOf(PeerInterceptor.REMOTE_ADDRESS.get());
    var agent = new AgentCall(call);
    serial.execute(() -> {
      call.sendHeaders(new Metadata());
      agent.link = mux.agentOpened(agent, identity, certificate, source);
    });
    return agent;
  }

  private static String addressOf(@Nullable SocketAddress address) {
    return address instanceof InetSocketAddress inet && inet.getAddress() != null
        ? inet.getAddress().getHostAddress()
        : "";
  }

  /** One agent's stream. */
  private final class AgentCall extends ServerCall.Listener<UpFrame> implements AgentPort {
    private final ServerCall<UpFrame, DownFrame> call;
    private @Nullable AgentLink link;

    AgentCall(ServerCall<UpFrame, DownFrame> call) {
      this.call = call;
    }

    @Override
    public void onMessage(UpFrame frame) {
      serial.execute(() -> {
        if (link != null) {
          mux.agentFrame(link, frame);
        }
      });
    }

    @Override
    public void onReady() {
      serial.execute(() -> {
        if (link != null) {
          mux.agentReady(link);
        }
      });
    }

    @Override
    public void onHalfClose() {
      serial.execute(() -> {
        if (link != null) {
          mux.agentClosed(link, "");
          call.close(Status.OK, new Metadata());
        }
      });
    }

    @Override
    public void onCancel() {
      serial.execute(() -> {
        if (link != null) {
          mux.agentClosed(link, UplinkMux.AGENT_GONE);
        }
      });
    }

    @Override
    public boolean isReady() {
      return call.isReady();
    }

    @Override
    public void send(DownFrame frame) {
      call.sendMessage(frame);
    }

    @Override
    public void request() {
      call.request(1);
    }

    @Override
    public void end(String code, String detail) {
      link = null;
      Status status =
          code.isEmpty()
              ? Status.OK
              : Status.UNAVAILABLE.withDescription(detail.isEmpty() ? code : code + ": " + detail);
      call.close(status, new Metadata());
    }
  }
}
