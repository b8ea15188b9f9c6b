package dev.towline.manager.rest;

import dev.towline.manager.fleet.Fleet;
import dev.towline.runtime.identity.IssuedIdentity;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * TLS 1.3 with the manager's own certificate for Jetty's ports. The root goes along, so that a
 * first login can show its fingerprint.
 *
 * <p>Threading: {@link #reloadIfRenewed} may be called by any thread; new connections get the new
 * certificate, established ones go on.
 */
final class ManagerTls {
  private static final Logger log = LoggerFactory.getLogger(ManagerTls.class);
  private static final char[] NO_PASSWORD = new char[0];

  private final Fleet fleet;
  private final SslContextFactory.Server factory = new SslContextFactory.Server();
  private X509Certificate served;

  ManagerTls(Fleet fleet) {
    this.fleet = fleet;
    factory.setSniRequired(false);
    factory.setIncludeProtocols("TLSv1.3");
    factory.setUseCipherSuitesOrder(true);
    factory.setKeyStore(keyStore());
    factory.setKeyStorePassword("");
    served = fleet.manager().chain().getFirst();
  }

  SslContextFactory.Server factory() {
    return factory;
  }

  /** Serves the manager's present certificate if it has been renewed. */
  synchronized void reloadIfRenewed() {
    X509Certificate current = fleet.manager().chain().getFirst();
    if (current.equals(served)) {
      return;
    }
    try {
      factory.reload(f -> f.setKeyStore(keyStore()));
      served = current;
    } catch (Exception e) {
      log.error("failed to serve the renewed certificate, the old one stays", e);
    }
  }

  private KeyStore keyStore() {
    IssuedIdentity identity = fleet.manager();
    List<X509Certificate> chain = new ArrayList<>(identity.chain());
    chain.add(fleet.roots().getLast());
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, NO_PASSWORD);
      store.setKeyEntry(
          "manager", identity.key(), NO_PASSWORD, chain.toArray(X509Certificate[]::new));
      return store;
    } catch (GeneralSecurityException | IOException e) {
      throw new IllegalStateException("the manager's certificate can't be served", e);
    }
  }
}
