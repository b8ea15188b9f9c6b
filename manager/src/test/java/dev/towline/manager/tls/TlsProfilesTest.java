package dev.towline.manager.tls;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.events.EventRecord;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Pems;
import dev.towline.runtime.testing.ProfileHandshakes;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Await;
import dev.towline.testing.OpenSsl;
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
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every suite of the older lists against every profile, with a TLS that is not ours (T1, T2). */
final class TlsProfilesTest {
  private static final List<String> CBC = ProfileHandshakes.CBC;
  private static final Duration BOUND = Duration.ofSeconds(60);

  @TempDir private Path directory;

  @ParameterizedTest
  @EnumSource(TlsProfile.class)
  @Requirement({"T1", "T2"})
  void everySuite_isTakenExactlyWhereTheProfileHasIt(TlsProfile profile) throws Exception {
    try (var fixture = new ManagerFixture(directory, profile)) {
      var config = fixture.services().config();
      for (int port :
          List.of(fixture.address().port(), config.publicPort(), config.consolePort())) {
        ProfileHandshakes.with(port, directory, fixture.services().fleet().roots())
            .assertProfile(profile);
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
      var config = fixture.services().config();
      // In another order for each port, so that the events differ.
      List<Integer> ports =
          List.of(fixture.address().port(), config.publicPort(), config.consolePort());
      List<String> suites = List.of(CBC.get(0), CBC.get(1), CBC.get(1) + ":" + CBC.get(0));
      List<String> named =
          List.of(
              "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384;",
              "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256;",
              "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384;");
      for (int i = 0; i < ports.size(); i++) {
        OpenSsl.Handshake told =
            OpenSsl.connect(ports.get(i), root, List.of("-tls1_2", "-cipher", suites.get(i)));
        assertThat(told.output()).contains("handshake failure");
        String expected = "peer offered TLSv1.2 with " + named.get(i);
        EventRecord event =
            Await.value(
                "event of port " + ports.get(i) + ": " + expected,
                BOUND,
                () ->
                    fixture.services().events().list("tls.refused", "", 0, 10).stream()
                        .filter(refused -> refused.detail().contains(expected))
                        .findFirst());
        assertThat(event.detail()).contains("profile strong accepts", "tls-profile: compatible");
        assertThat(event.subject()).startsWith("127.0.0.1:");
      }
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
