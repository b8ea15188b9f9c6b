package dev.towline.runtime.session;

import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.SessionServiceGrpc;
import dev.towline.proto.v1.UpFrame;
import dev.towline.runtime.tls.PeerInterceptor;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;

/** A stream that this node dialled, with a channel of its own. */
final class DialledCarrier implements Carrier {
  private final ManagedChannel channel;
  private final ClientCall<UpFrame, DownFrame> call;
  private boolean ended;

  DialledCarrier(ManagedChannel channel) {
    this.channel = channel;
    this.call = channel.newCall(SessionServiceGrpc.getOpenMethod(), CallOptions.DEFAULT);
  }

  @Override
  public void start(Listener listener, int prefetch) {
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onReady() {
            listener.writable();
          }

          @Override
          public void onMessage(DownFrame frame) {
            listener.received(frame);
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            listener.ended(status);
          }
        },
        new Metadata());
    call.request(prefetch);
  }

  @Override
  public boolean isReady() {
    return call.isReady();
  }

  @Override
  public void send(UpFrame frame) {
    call.sendMessage(frame);
  }

  @Override
  public void request(int frames) {
    call.request(frames);
  }

  @Override
  public void halfClose() {
    call.halfClose();
  }

  @Override
  public void release(String why) {
    if (!ended) {
      ended = true;
      call.cancel(why, null);
    }
    channel.shutdownNow();
  }

  @Override
  public Optional<List<X509Certificate>> peerChain() {
    return PeerInterceptor.peerChain(call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION));
  }
}
