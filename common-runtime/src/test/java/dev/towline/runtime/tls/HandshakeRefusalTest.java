package dev.towline.runtime.tls;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;

/** What is made of a first message, and of one that has nothing in common with a profile. */
final class HandshakeRefusalTest {
  private static final String STATIC_RSA = "TLS_RSA_WITH_AES_256_CBC_SHA256";
  private static final String CBC = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256";

  @Test
  void reader_messageCutAnywhere_isReadOnce() throws Exception {
    byte[] first = firstMessage("TLSv1.2", CBC);
    for (int cut = 0; cut < first.length; cut++) {
      var reader = new ClientHello.Reader();
      Optional<ClientHello> early = reader.feed(part(first, 0, cut));
      assertThat(early).isEmpty();
      ClientHello hello = reader.feed(part(first, cut, first.length)).orElseThrow();
      assertThat(hello.protocols()).containsExactly("TLSv1.2");
      assertThat(hello.suites()).containsExactly(CBC);
      assertThat(hello.groups()).contains("x25519", "secp256r1");
      assertThat(reader.isDone()).isTrue();
      assertThat(reader.feed(first)).isEmpty();
    }
  }

  @Test
  void reader_whatIsNoTls_isLeftAlone() {
    var reader = new ClientHello.Reader();
    assertThat(reader.feed("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII))).isEmpty();
    assertThat(reader.isDone()).isTrue();
  }

  @Test
  void reader_randomChanges_neverThrow() throws Exception {
    byte[] message = firstMessage("TLSv1.3", "TLS_AES_128_GCM_SHA256");
    long seed = 20_260_723;
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      byte[] changed = message.clone();
      for (int n = random.nextInt(1, 6); n > 0; n--) {
        changed[random.nextInt(changed.length)] = (byte) random.nextInt(256);
      }
      var reader = new ClientHello.Reader();
      var _ = reader.feed(changed);
    }
  }

  @Test
  @Requirement("T2")
  void of_suiteOfAWiderProfile_namesThatProfile() {
    var hello = new ClientHello(List.of("TLSv1.2"), List.of(CBC), List.of("secp256r1"));

    assertThat(HandshakeRefusal.of(hello, TlsProfile.MODERN).orElseThrow().toString())
        .contains(
            "TLSv1.2 with " + CBC, "profile modern accepts TLSv1.3", "tls-profile: compatible");
    assertThat(HandshakeRefusal.of(hello, TlsProfile.STRONG).orElseThrow().remedy())
        .contains("tls-profile: compatible");
    assertThat(HandshakeRefusal.of(hello, TlsProfile.COMPATIBLE)).isEmpty();
    assertThat(HandshakeRefusal.of(hello, TlsProfile.FIPS)).isEmpty();
  }

  @Test
  @Requirement("T2")
  void of_staticRsaOrOldVersion_saysThatNoProfileHelps() {
    for (TlsProfile profile : TlsProfile.values()) {
      var rsa = new ClientHello(List.of("TLSv1.2"), List.of(STATIC_RSA), List.of());
      assertThat(HandshakeRefusal.of(rsa, profile).orElseThrow().toString())
          .contains(STATIC_RSA, "static RSA", "ECDHE");
      var old =
          new ClientHello(List.of("TLSv1"), List.of("TLS_RSA_WITH_AES_256_CBC_SHA"), List.of());
      assertThat(HandshakeRefusal.of(old, profile).orElseThrow().toString())
          .contains("TLSv1 with TLS_RSA_WITH_AES_256_CBC_SHA", "update the peer");
    }
  }

  @Test
  @Requirement("T2")
  void of_groupsThatFipsHasNot_areNamed() {
    var hello =
        new ClientHello(List.of("TLSv1.3"), List.of("TLS_AES_256_GCM_SHA384"), List.of("x25519"));

    assertThat(HandshakeRefusal.of(hello, TlsProfile.MODERN)).isEmpty();
    assertThat(HandshakeRefusal.of(hello, TlsProfile.FIPS).orElseThrow().toString())
        .contains("over x25519", "secp256r1");
  }

  @Test
  @Requirement("T2")
  void ofAlert_handshakeFailure_saysWhatThisEndOffered() {
    var alert = new SSLHandshakeException("Received fatal alert: handshake_failure");

    assertThat(HandshakeRefusal.ofAlert(alert, TlsProfile.MODERN).orElseThrow())
        .contains("TLSv1.3", "profile modern", "same tls-profile");
    assertThat(
            HandshakeRefusal.ofAlert(
                new SSLHandshakeException("Received fatal alert: certificate_unknown"),
                TlsProfile.MODERN))
        .isEmpty();
  }

  private static byte[] firstMessage(String protocol, String suite) throws Exception {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, null, null);
    SSLEngine engine = context.createSSLEngine("manager.example", 7443);
    engine.setUseClientMode(true);
    engine.setEnabledProtocols(new String[] {protocol});
    engine.setEnabledCipherSuites(new String[] {suite});
    ByteBuffer out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
    engine.wrap(ByteBuffer.allocate(0), out);
    byte[] bytes = new byte[out.flip().remaining()];
    out.get(bytes);
    assertThat(HexFormat.of().formatHex(bytes, 0, 1)).isEqualTo("16");
    return bytes;
  }

  private static byte[] part(byte[] bytes, int from, int to) {
    return Arrays.copyOfRange(bytes, from, to);
  }
}
