package dev.towline.runtime.session;

import dev.towline.proto.v1.DownFrame;
import dev.towline.proto.v1.UpFrame;
import io.grpc.Status;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;

/**
 * The stream below a link, whoever dialled it. Called on the session's thread; its listener is
 * called from the transport's.
 */
interface Carrier {
  /** Once; what happened before is told then. */
  void start(Listener listener, int prefetch);

  boolean isReady();

  void send(UpFrame frame);

  /** So many more frames may come. */
  void request(int frames);

  /** Nothing more will be sent. */
  void halfClose();

  /** Ends the stream, if it has not ended, and frees everything. */
  void release(String why);

  /** Of whom is at the other end, leaf first; known once the stream is writable. */
  Optional<List<X509Certificate>> peerChain();

  /** Hears of the stream. */
  interface Listener {
    void writable();

    void received(DownFrame frame);

    void ended(Status status);
  }
}
