package dev.towline.cli.login;

import io.grpc.ManagedChannel;
import java.security.cert.X509Certificate;
import java.util.List;

/** Ways to the manager's admin port. */
public interface AdminConnections {
  /**
   * A channel to a manager of this fleet and to nobody else.
   *
   * @param token sent with each call when not empty
   */
  ManagedChannel open(
      ManagerAddress address, String fleet, List<X509Certificate> roots, String token);

  /** What the server at this address presents, leaf first, verified by nothing yet. */
  List<X509Certificate> presentedChain(ManagerAddress address);
}
