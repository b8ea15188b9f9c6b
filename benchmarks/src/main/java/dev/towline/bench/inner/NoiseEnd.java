package dev.towline.bench.inner;

import com.southernstorm.noise.protocol.CipherStatePair;
import com.southernstorm.noise.protocol.HandshakeState;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Signatures;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Noise XX; then each side sends its certificate chain with a signature over the handshake hash, as
 * its first transport message. Messages stand after their length in two bytes.
 */
final class NoiseEnd implements InnerEnd {
  static final String PROTOCOL = "Noise_XX_25519_AESGCM_SHA256";
  private static final String CONTEXT = "towline noise bench v1";
  private static final int MAX_MESSAGE = 65_535;

  private final boolean client;
  private final PeerVerifier verifier;
  private @Nullable IssuedIdentity identity;
  private @Nullable HandshakeState handshake;
  private @Nullable CipherStatePair ciphers;
  private byte @Nullable [] hash;
  private PeerCheck.@Nullable Trusted peer;

  /**
   * @param staticKey private half of this end's Noise key
   */
  NoiseEnd(boolean client, IssuedIdentity identity, byte[] staticKey, PeerVerifier verifier)
      throws Exception {
    this.client = client;
    this.identity = identity;
    this.verifier = verifier;
    var state =
        new HandshakeState(PROTOCOL, client ? HandshakeState.INITIATOR : HandshakeState.RESPONDER);
    state.getLocalKeyPair().setPrivateKey(staticKey, 0);
    state.start();
    this.handshake = state;
  }

  @Override
  public byte[] start() throws Exception {
    return client ? write() : new byte[0];
  }

  @Override
  public byte[] feed(byte[] bytes) throws Exception {
    var out = new ByteArrayOutputStream();
    var in = new DataInputStream(new ByteArrayInputStream(bytes));
    while (in.available() > 0) {
      take(in.readNBytes(in.readUnsignedShort()), out);
    }
    return out.toByteArray();
  }

  private void take(byte[] message, ByteArrayOutputStream out) throws Exception {
    HandshakeState state = handshake;
    if (state == null) {
      byte[] plain = new byte[message.length];
      int length = ciphers().getReceiver().decryptWithAd(null, message, 0, plain, 0, plain.length);
      checkPeer(plain, length);
      if (!client) {
        out.write(proof());
      }
      return;
    }
    state.readMessage(message, 0, message.length, new byte[MAX_MESSAGE], 0);
    if (state.getAction() == HandshakeState.WRITE_MESSAGE) {
      out.write(write());
    }
    if (state.getAction() == HandshakeState.SPLIT) {
      hash = state.getHandshakeHash();
      ciphers = state.split();
      state.destroy();
      handshake = null;
      if (client) {
        out.write(proof());
      }
    }
  }

  private byte[] write() throws Exception {
    HandshakeState state = handshake;
    if (state == null) {
      throw new IllegalStateException("handshake is over");
    }
    byte[] message = new byte[MAX_MESSAGE];
    int length = state.writeMessage(message, 0, new byte[0], 0, 0);
    return framed(message, length);
  }

  private byte[] proof() throws Exception {
    IssuedIdentity own = identity;
    byte[] over = hash;
    if (own == null || over == null) {
      throw new IllegalStateException("no handshake");
    }
    var bytes = new ByteArrayOutputStream();
    var out = new DataOutputStream(bytes);
    out.writeByte(own.chain().size());
    for (X509Certificate certificate : own.chain()) {
      byte[] der = certificate.getEncoded();
      out.writeShort(der.length);
      out.write(der);
    }
    out.write(Signatures.signP256(own.key(), CONTEXT, over));
    identity = null;
    return seal(bytes.toByteArray());
  }

  private void checkPeer(byte[] proof, int length) throws Exception {
    var in = new DataInputStream(new ByteArrayInputStream(proof, 0, length));
    List<X509Certificate> chain = new ArrayList<>();
    int count = in.readUnsignedByte();
    for (int i = 0; i < count; i++) {
      chain.add(Certificates.parse(in.readNBytes(in.readUnsignedShort())));
    }
    byte[] over = hash;
    if (over == null
        || !(verifier.check(chain) instanceof PeerCheck.Trusted trusted)
        || !Signatures.verifyP256(
            trusted.leaf().getPublicKey(), CONTEXT, over, in.readAllBytes())) {
      throw new IOException("peer is not of the fleet");
    }
    peer = trusted;
    if (!client) {
      return;
    }
    hash = null;
  }

  @Override
  public boolean established() {
    return peer != null;
  }

  @Override
  public byte[] seal(byte[] plaintext) throws Exception {
    byte[] sealed = new byte[plaintext.length + 16];
    int length =
        ciphers().getSender().encryptWithAd(null, plaintext, 0, sealed, 0, plaintext.length);
    return framed(sealed, length);
  }

  @Override
  public byte[] open(byte[] sealed) throws Exception {
    byte[] plain = new byte[sealed.length];
    int length =
        ciphers().getReceiver().decryptWithAd(null, sealed, 2, plain, 0, sealed.length - 2);
    return java.util.Arrays.copyOf(plain, length);
  }

  @Override
  public void release() {
    hash = null;
  }

  private CipherStatePair ciphers() {
    CipherStatePair pair = ciphers;
    if (pair == null) {
      throw new IllegalStateException("handshake is not over");
    }
    return pair;
  }

  private static byte[] framed(byte[] message, int length) {
    byte[] framed = new byte[length + 2];
    framed[0] = (byte) (length >> 8);
    framed[1] = (byte) length;
    System.arraycopy(message, 0, framed, 2, length);
    return framed;
  }
}
