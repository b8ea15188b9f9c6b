package dev.towline.cli.login;

import dev.towline.runtime.identity.PeerCheck;
import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Decides on a server's chain by the fleet's rules: roles and ids count, host names do not. Extends
 * the extended trust manager, so that nothing adds a check of host names.
 */
final class ChainTrustManager extends X509ExtendedTrustManager {
  /** For a first look at a server whose fingerprint the operator is going to compare. */
  static final Optional<PeerCheck> NOT_CHECKED = Optional.empty();

  private final Function<List<X509Certificate>, Optional<PeerCheck>> check;
  private volatile List<X509Certificate> seen = List.of();

  ChainTrustManager(Function<List<X509Certificate>, Optional<PeerCheck>> check) {
    this.check = check;
  }

  /** The last chain that was presented. */
  List<X509Certificate> seen() {
    return seen;
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    seen = List.of(chain);
    if (check.apply(seen).orElse(null) instanceof PeerCheck.Refused(var code, var detail)) {
      throw new CertificateException(code + ": " + detail);
    }
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkServerTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    checkServerTrusted(chain, authType);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    throw new CertificateException("this side is a client");
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkClientTrusted(chain, authType);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    checkClientTrusted(chain, authType);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[0];
  }
}
