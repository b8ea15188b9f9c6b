package dev.towline.manager.rest;

import dev.towline.manager.fleet.Fleet;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.TlsProfile;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLParameters;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * TLS of the manager's profile with its own certificates for Jetty's ports. The root goes along, so
 * that a first login can show its fingerprint, and those before it.
 *
 * <p>Threading: {@link #reloadIfRenewed} may be called by any thread; new connections get the new
 * certificate, established ones go on.
 */
final class ManagerTls {
  private static final Logger log = LoggerFactory.getLogger(ManagerTls.class);
  private static final char[] NO_PASSWORD = new char[0];

  private final Fleet fleet;
  private final SslContextFactory.Server factory;
  private List<X509Certificate> served;

  ManagerTls(Fleet fleet, TlsProfile profile) {
    this.fleet = fleet;
    this.factory = new ProfiledFactory(profile);
    factory.setSniRequired(false);
    factory.setIncludeProtocols(profile.protocols().toArray(String[]::new));
    factory.setExcludeCipherSuites();
    factory.setIncludeCipherSuites(profile.suites().toArray(String[]::new));
    factory.setUseCipherSuitesOrder(true);
    factory.setKeyStore(keyStore());
    factory.setKeyStorePassword("");
    served = fleet.manager().chain();
  }

  SslContextFactory.Server factory() {
    return factory;
  }

  /** Serves the manager's present certificate if it has been renewed. */
  synchronized void reloadIfRenewed() {
    List<X509Certificate> current = fleet.manager().chain();
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
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, NO_PASSWORD);
      put(store, "manager", fleet.manager());
      Optional<IssuedIdentity> rsa = fleet.managerRsa();
      if (rsa.isPresent()) {
        put(store, "manager-rsa", rsa.get());
      }
      return store;
    } catch (GeneralSecurityException | IOException e) {
      throw new IllegalStateException("the manager's certificate can't be served", e);
    }
  }

  private void put(KeyStore store, String alias, IssuedIdentity identity)
      throws GeneralSecurityException {
    // From the root of now to the first one: a key store takes a chain in this order only.
    List<X509Certificate> chain = new ArrayList<>(identity.chain().subList(0, 2));
    for (X509Certificate root : fleet.allRoots().reversed()) {
      if (chain.getLast().getIssuerX500Principal().equals(root.getSubjectX500Principal())) {
        chain.add(root);
      }
    }
    store.setKeyEntry(alias, identity.key(), NO_PASSWORD, chain.toArray(X509Certificate[]::new));
  }

  /** Narrows what Jetty has no setting for. */
  private static final class ProfiledFactory extends SslContextFactory.Server {
    private final TlsProfile profile;

    ProfiledFactory(TlsProfile profile) {
      this.profile = profile;
    }

    @Override
    public SSLParameters customize(SSLParameters parameters) {
      SSLParameters customized = super.customize(parameters);
      FleetTls.apply(profile, customized);
      return customized;
    }
  }
}
