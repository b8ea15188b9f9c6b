package dev.towline.runtime.identity;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

@Requirement({"T3", "G5"})
class SignaturesTest {
  private static final String CONTEXT = "towline test v1";

  private final SecureRandom random = new SecureRandom();
  private final KeyPair pair = Keys.newP256(random);
  private final byte[] data = "succeeded".getBytes(StandardCharsets.US_ASCII);
  private final byte[] signed = Signatures.signP256(pair.getPrivate(), CONTEXT, data);

  @Test
  void p256_ofTheSameKeyContextAndData_holds() {
    for (int i = 0; i < 100; i++) {
      byte[] again = Signatures.signP256(pair.getPrivate(), CONTEXT, data);
      assertThat(Signatures.verifyP256(pair.getPublic(), CONTEXT, data, again)).isTrue();
    }
  }

  @Test
  void p256_anotherKeyContextOrData_doesNot() {
    assertThat(Signatures.verifyP256(Keys.newP256(random).getPublic(), CONTEXT, data, signed))
        .isFalse();
    assertThat(Signatures.verifyP256(pair.getPublic(), "towline test v2", data, signed)).isFalse();
    byte[] other = data.clone();
    other[0] ^= 1;
    assertThat(Signatures.verifyP256(pair.getPublic(), CONTEXT, other, signed)).isFalse();
  }

  @Test
  void p256_anyBitChanged_doesNot() {
    for (int bit = 0; bit < signed.length * 8; bit++) {
      byte[] changed = signed.clone();
      changed[bit / 8] ^= (byte) (1 << (bit % 8));
      assertThat(Signatures.verifyP256(pair.getPublic(), CONTEXT, data, changed)).isFalse();
    }
  }

  @Test
  void p256_noSignatureAtAll_doesNot() {
    assertThat(Signatures.verifyP256(pair.getPublic(), CONTEXT, data, new byte[0])).isFalse();
    assertThat(Signatures.verifyP256(pair.getPublic(), CONTEXT, data, new byte[72])).isFalse();
    assertThat(
            Signatures.verifyP256(
                pair.getPublic(), CONTEXT, data, Arrays.copyOf(signed, signed.length - 1)))
        .isFalse();
    // Zeros are the oldest forgery.
    byte[] zeros = {0x30, 6, 2, 1, 0, 2, 1, 0};
    assertThat(Signatures.verifyP256(pair.getPublic(), CONTEXT, data, zeros)).isFalse();
  }

  @Test
  void p256_keyOfAnotherKind_doesNot() {
    assertThat(Signatures.verifyP256(Keys.newRsa(random).getPublic(), CONTEXT, data, signed))
        .isFalse();
  }
}
