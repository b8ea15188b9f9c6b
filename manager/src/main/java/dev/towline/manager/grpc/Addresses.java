package dev.towline.manager.grpc;

import dev.towline.runtime.tls.PeerInterceptor;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/** Where the current call comes from. */
final class Addresses {
  private Addresses() {}

  /** {@code host:port} of the current call. */
  static String remote() {
    SocketAddress address = PeerInterceptor.REMOTE_ADDRESS.get();
    if (address instanceof InetSocketAddress inet) {
      return inet.getAddress().getHostAddress() + ":" + inet.getPort();
    }
    return String.valueOf(address);
  }

  /** The host of a {@code host:port}. */
  static String host(String address) {
    int colon = address.lastIndexOf(':');
    return colon < 0 ? address : address.substring(0, colon);
  }
}
