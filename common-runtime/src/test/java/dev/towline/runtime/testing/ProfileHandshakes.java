package dev.towline.runtime.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Pems;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.OpenSsl;
import java.io.IOException;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Every suite of the older lists against a listener of a profile, with a TLS that is not ours (T1,
 * T2).
 *
 * @param options what openssl needs beside it, for instance a certificate
 */
public record ProfileHandshakes(int port, Path root, List<String> options) {
  public static final List<String> GCM =
      List.of("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256");
  public static final List<String> CBC =
      List.of("ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA256");
  private static final List<String> STATIC_RSA = List.of("AES256-SHA256", "AES128-SHA256");
  private static final List<String> TLS_1_0 = List.of("AES256-SHA", "AES128-SHA");
  private static final List<String> NEVER_NAMED =
      List.of(
          "ECDHE-ECDSA-AES256-GCM-SHA384",
          "ECDHE-RSA-CHACHA20-POLY1305",
          "ECDHE-RSA-AES256-SHA",
          "AES256-GCM-SHA384");

  /** For a listener that asks for no certificate. */
  public static ProfileHandshakes with(int port, Path directory, List<X509Certificate> roots)
      throws IOException {
    Path root = directory.resolve("root.pem");
    Pems.writeCertificates(root, roots);
    return new ProfileHandshakes(port, root, List.of());
  }

  /** With this certificate, for a listener that asks for one. */
  public ProfileHandshakes as(IssuedIdentity peer) throws IOException {
    Path chain = root.resolveSibling("peer.pem");
    Path key = root.resolveSibling("peer-key.pem");
    Pems.writeCertificates(chain, peer.chain());
    Pems.writePrivateKey(key, peer.key());
    return new ProfileHandshakes(
        port,
        root,
        List.of(
            "-cert", chain.toString(), "-cert_chain", chain.toString(), "-key", key.toString()));
  }

  /** Suites of TLS 1.2 that a profile has. */
  public static List<String> of(TlsProfile profile) {
    return switch (profile) {
      case MODERN -> List.of();
      case STRONG -> GCM;
      case COMPATIBLE, FIPS -> Stream.concat(GCM.stream(), CBC.stream()).toList();
    };
  }

  /** Fails where the listener takes anything that is not in its profile, or refuses what is. */
  public void assertProfile(TlsProfile profile) throws IOException, InterruptedException {
    List<String> accepted = of(profile);
    // The newest that both have, although older ones are offered too.
    OpenSsl.Handshake newest = connect(List.of());
    assertThat(newest.done()).as(newest.output()).isTrue();
    assertThat(newest.output()).contains("TLSv1.3");
    for (List<String> suites : List.of(GCM, CBC, STATIC_RSA, NEVER_NAMED)) {
      for (String suite : suites) {
        OpenSsl.Handshake handshake = tls12(suite);
        assertThat(handshake.done())
            .as("%s on port %d of %s: %s", suite, port, profile, handshake.output())
            .isEqualTo(accepted.contains(suite));
        if (handshake.done()) {
          assertThat(handshake.output()).contains("TLSv1.2", "Cipher is " + suite);
        }
      }
    }
    for (String suite : TLS_1_0) {
      for (String version : List.of("-tls1", "-tls1_1")) {
        OpenSsl.Handshake handshake = connect(List.of(version, "-cipher", suite + "@SECLEVEL=0"));
        assertThat(handshake.done()).as(handshake.output()).isFalse();
      }
    }
  }

  /** One handshake with nothing but this suite of TLS 1.2. */
  public OpenSsl.Handshake tls12(String suite) throws IOException, InterruptedException {
    return connect(List.of("-tls1_2", "-cipher", suite + "@SECLEVEL=0"));
  }

  public OpenSsl.Handshake connect(List<String> more) throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(options);
    all.addAll(more);
    return OpenSsl.connect(port, root, all);
  }
}
