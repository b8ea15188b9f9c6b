package dev.towline.runtime.session;

import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.UpFrame;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A stream that a manager dialled. What happens before {@link #start} is kept until then, because
 * the transport's thread brings it and the session's thread takes it.
 */
final class AttachedCarrier implements Carrier, StreamObserver<DownFrame> {
  private final ServerCallStreamObserver<UpFrame> call;
  private final List<X509Certificate> chain;
  private @Nullable Listener listener;
  private @Nullable Status end;
  private boolean closed;

  /** Within the call that came in. */
  AttachedCarrier(ServerCallStreamObserver<UpFrame> call, List<X509Certificate> chain) {
    this.call = call;
    this.chain = List.copyOf(chain);
    call.disableAutoRequest();
    call.setOnReadyHandler(this::ready);
    call.setOnCancelHandler(
        () -> finish(Status.CANCELLED.withDescription("the manager's connection is gone")));
  }

  @Override
  public void start(Listener wanted, int prefetch) {
    Status over;
    synchronized (this) {
      listener = wanted;
      over = end;
    }
    if (over != null) {
      wanted.ended(over);
    } else {
      wanted.writable();
      call.request(prefetch);
    }
  }

  private void ready() {
    Listener hears = hears();
    if (hears != null) {
      hears.writable();
    }
  }

  private synchronized @Nullable Listener hears() {
    return listener;
  }

  private void finish(Status status) {
    Listener hears;
    synchronized (this) {
      if (end != null) {
        return;
      }
      end = status;
      hears = listener;
    }
    if (hears != null) {
      hears.ended(status);
    }
  }

  @Override
  public void onNext(DownFrame frame) {
    Listener hears = hears();
    if (hears != null) {
      hears.received(frame);
    }
  }

  @Override
  public void onError(Throwable failure) {
    finish(Status.fromThrowable(failure));
  }

  @Override
  public void onCompleted() {
    finish(Status.OK.withDescription("the manager ended the connection"));
  }

  @Override
  public boolean isReady() {
    return !closed && !call.isCancelled() && call.isReady();
  }

  @Override
  public void send(UpFrame frame) {
    if (!closed && !call.isCancelled()) {
      call.onNext(frame);
    }
  }

  @Override
  public void request(int frames) {
    call.request(frames);
  }

  @Override
  public void halfClose() {
    close();
  }

  @Override
  public void release(String why) {
    close();
  }

  private void close() {
    if (!closed) {
      closed = true;
      if (!call.isCancelled()) {
        call.onCompleted();
      }
      finish(Status.OK.withDescription("ended here"));
    }
  }

  @Override
  public Optional<List<X509Certificate>> peerChain() {
    return Optional.of(chain);
  }
}
