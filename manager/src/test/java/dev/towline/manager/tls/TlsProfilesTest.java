package dev.towline.manager.tls;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.nodes.Node;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Pems;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Requirement;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.netty.handler.ssl.IdentityCipherSuiteFilter;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import io.grpc.netty.shaded.io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every suite of the older lists against every profile, with a TLS that is not ours (T1, T2). */
final class TlsProfilesTest {
  private static final List<String> GCM =
      List.of("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256");
  private static final List<String> CBC =
      List.of("ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA256");
  private static final List<String> STATIC_RSA = List.of("AES256-SHA256", "AES128-SHA256");
  private static final List<String> TLS_1_0 = List.of("AES256-SHA", "AES128-SHA");
  private static final List<String> NEVER_NAMED =
      List.of(
          "ECDHE-ECDSA-AES256-GCM-SHA384",
          "ECDHE-RSA-CHACHA20-POLY1305",
          "ECDHE-RSA-AES256-SHA",
          "AES256-GCM-SHA384");

  @TempDir private Path directory;

  @ParameterizedTest
  @EnumSource(TlsProfile.class)
  @Requirement({"T1", "T2"})
  void everySuite_isTakenExactlyWhereTheProfileHasIt(TlsProfile profile) throws Exception {
    Set<String> accepted =
        switch (profile) {
          case MODERN -> Set.of();
          case STRONG -> Set.copyOf(GCM);
          case COMPATIBLE, FIPS -> {
            List<String> both = new ArrayList<>(GCM);
            both.addAll(CBC);
            yield Set.copyOf(both);
          }
        };
    try (var fixture = new ManagerFixture(directory, profile)) {
      Path root = root(fixture);
      var config = fixture.services().config();
      for (int port :
          List.of(fixture.address().port(), config.publicPort(), config.consolePort())) {
        // The newest that both have, although older ones are offered too.
        OpenSsl.Handshake newest = OpenSsl.connect(port, root, List.of());
        assertThat(newest.done()).as(newest.output()).isTrue();
        assertThat(newest.output()).contains("TLSv1.3");

        for (List<String> suites : List.of(GCM, CBC, STATIC_RSA, NEVER_NAMED)) {
          for (String suite : suites) {
            OpenSsl.Handshake handshake =
                OpenSsl.connect(port, root, List.of("-tls1_2", "-cipher", suite + "@SECLEVEL=0"));
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
            OpenSsl.Handshake handshake =
                OpenSsl.connect(port, root, List.of(version, "-cipher", suite + "@SECLEVEL=0"));
            assertThat(handshake.done()).as(handshake.output()).isFalse();
          }
        }
      }
    }
  }

  @Test
  @Requirement("T2")
  void fips_whatIsNotNists_isRefusedInTls13Too() throws Exception {
    try (var fixture = new ManagerFixture(directory, TlsProfile.FIPS)) {
      Path root = root(fixture);
      int port = fixture.address().port();
      assertThat(OpenSsl.connect(port, root, List.of("-tls1_3", "-groups", "X25519")).done())
          .isFalse();
      assertThat(
              OpenSsl.connect(
                      port,
                      root,
                      List.of("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"))
                  .done())
          .isFalse();
      assertThat(OpenSsl.connect(port, root, List.of("-tls1_3", "-groups", "P-256")).done())
          .isTrue();
    }
  }

  @Test
  @Requirement("T2")
  void peerOutsideTheProfile_isNamedWithSuiteAndRemedy() throws Exception {
    try (var fixture = new ManagerFixture(directory, TlsProfile.STRONG)) {
      Path root = root(fixture);
      int port = fixture.address().port();
      OpenSsl.Handshake told =
          OpenSsl.connect(port, root, List.of("-tls1_2", "-cipher", CBC.getFirst()));
      assertThat(told.output()).contains("handshake failure");
      assertThat(fixture.event("tls.refused").detail())
          .contains(
              "peer offered TLSv1.2 with TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
              "profile strong accepts",
              "tls-profile: compatible");
      assertThat(fixture.event("tls.refused").subject()).startsWith("127.0.0.1:");
    }
  }

  @Test
  @Requirement({"T1", "T2"})
  void session_overAnOlderSuite_showsWhatWasNegotiated() throws Exception {
    try (var fixture = new ManagerFixture(directory, TlsProfile.COMPATIBLE)) {
      FakeNode host = fixture.host("old-1");
      var _ = host.connect();
      assertThat(tls(fixture, "old-1")).startsWith("TLSv1.3 TLS_");

      for (String suite :
          List.of(
              "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")) {
        var _ = host.connect(only(host.identity(), suite));
        assertThat(tls(fixture, "old-1")).isEqualTo("TLSv1.2 " + suite);
      }
    }
  }

  private static String tls(ManagerFixture fixture, String host) {
    Node node = fixture.services().hosts().host(host);
    return node.tlsProtocol() + " " + node.tlsCipherSuite();
  }

  /** A client that has nothing newer. */
  private static SslContext only(IssuedIdentity identity, String suite) throws IOException {
    return GrpcSslContexts.configure(
            SslContextBuilder.forClient()
                .keyManager(identity.key(), identity.chain().toArray(X509Certificate[]::new)),
            SslProvider.JDK)
        .protocols("TLSv1.2")
        .ciphers(List.of(suite), IdentityCipherSuiteFilter.INSTANCE)
        .trustManager(InsecureTrustManagerFactory.INSTANCE)
        .build();
  }

  private Path root(ManagerFixture fixture) throws IOException {
    Path file = directory.resolve("root.pem");
    Pems.writeCertificates(file, fixture.services().fleet().roots());
    return file;
  }
}
