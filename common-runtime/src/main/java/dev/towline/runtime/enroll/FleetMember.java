package dev.towline.runtime.enroll;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.identity.FleetTime;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.runtime.identity.RootSuccession;
import dev.towline.runtime.identity.TrustAnchors;
import dev.towline.runtime.tls.FleetTls;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;

/**
 * This program as a member of its fleet: its present certificate, the roots it trusts, and the
 * verifier of peers that follows from them.
 *
 * <p>Threading: thread-safe. Failure: a change that can't be written to the disk is an {@link
 * IOException} and has not happened.
 */
public final class FleetMember {
  private final IdentityStore store;
  private final PeerVerifier verifier;
  private final PeerVerifier dialled;
  private final FleetTime time;
  private volatile IssuedIdentity identity;
  private volatile Optional<IssuedIdentity> rsa = Optional.empty();
  private volatile TlsProfile profile = TlsProfile.MODERN;
  private volatile boolean listens;
  private volatile TrustAnchors anchors;

  public FleetMember(
      IdentityStore store,
      IssuedIdentity identity,
      List<X509Certificate> roots,
      Revocations revocations,
      InstantSource clock) {
    this.store = store;
    this.identity = identity;
    this.anchors = new TrustAnchors(identity.identity().fleet(), roots);
    this.time = new FleetTime(clock, identity.leaf().getNotBefore().toInstant());
    this.verifier = new PeerVerifier(() -> anchors, revocations, time);
    this.dialled = verifier.doubtingTheClock(time::floor);
  }

  public NodeIdentity self() {
    return identity.identity();
  }

  /** The present certificate and its key. */
  public IssuedIdentity identity() {
    return identity;
  }

  /** For TLS contexts: the present certificate, at each handshake. */
  public Optional<IssuedIdentity> presented() {
    return Optional.of(identity);
  }

  /** TLS is spoken like this from the next context on. */
  public void speaks(TlsProfile wanted) {
    profile = wanted;
  }

  public TlsProfile profile() {
    return profile;
  }

  /** This program listens: where its profile has older suites, it needs an RSA certificate too. */
  public void listens() throws IOException {
    rsa = store.loadRsa();
    listens = true;
  }

  /** For listeners: the RSA certificate, where there is one. */
  public Optional<IssuedIdentity> presentedRsa() {
    return rsa;
  }

  /** Whether the next renewal is to bring an RSA certificate, and when it is due at the latest. */
  public Optional<Instant> rsaDue() {
    return listens && profile.wantsRsa()
        ? Optional.of(rsa.map(IssuedIdentity::halfLife).orElse(Instant.EPOCH))
        : Optional.empty();
  }

  /** Uses this RSA certificate from now on. */
  public synchronized void renewRsa(IssuedIdentity renewed) throws IOException {
    store.saveRsa(renewed);
    rsa = Optional.of(renewed);
  }

  /** For a gRPC server of this program. */
  public SslContext serverTls(ClientAuth clientAuth) {
    return FleetTls.server(profile, this::presented, this::presentedRsa, verifier, clientAuth);
  }

  /** For a listener that managers dial, although this program's clock may be wrong. */
  public SslContext dialledTls() {
    return FleetTls.server(
        profile, this::presented, this::presentedRsa, dialled, ClientAuth.REQUIRE);
  }

  public PeerVerifier verifier() {
    return verifier;
  }

  /** Of those with whom this program has a session, although its clock may be wrong. */
  public PeerVerifier dialledVerifier() {
    return dialled;
  }

  /** The time as the fleet has it. */
  public FleetTime time() {
    return time;
  }

  /**
   * Asks these servers for a certificate by proof of the present key, for when the present
   * certificate is not accepted any more. Blocks; when it gives one, it is used from then on.
   */
  public EnrollmentOutcome recover(
      EnrollmentClient client, List<ServerAddress> servers, HostFacts facts)
      throws InterruptedException {
    EnrollmentOutcome outcome = client.recover(identity, anchors.roots(), servers, facts, store);
    if (outcome instanceof EnrollmentOutcome.Issued issued) {
      synchronized (this) {
        anchors = new TrustAnchors(self().fleet(), issued.roots());
        identity = issued.identity();
      }
    }
    return outcome;
  }

  public TrustAnchors anchors() {
    return anchors;
  }

  /** Uses another certificate of the same name from now on. */
  public synchronized void renew(
      IssuedIdentity renewed, List<X509Certificate> retired, List<X509Certificate> offered)
      throws IOException {
    if (!renewed.identity().equals(identity.identity())) {
      throw new IllegalArgumentException(
          "renewed identity: %s (expected: %s)".formatted(renewed.identity(), self()));
    }
    List<X509Certificate> roots = RootSuccession.replace(anchors.roots(), retired, offered);
    store.save(renewed, roots);
    anchors = new TrustAnchors(self().fleet(), roots);
    identity = renewed;
  }

  /**
   * Trusts, of these roots, those that are trusted already or follow from them, and no others; see
   * {@link RootSuccession#replace}.
   *
   * @return whether anything changed
   */
  public synchronized boolean useRoots(List<X509Certificate> retired, List<X509Certificate> offered)
      throws IOException {
    List<X509Certificate> roots = RootSuccession.replace(anchors.roots(), retired, offered);
    if (roots.equals(anchors.roots())) {
      return false;
    }
    store.saveRoots(roots);
    anchors = new TrustAnchors(self().fleet(), roots);
    return true;
  }
}
