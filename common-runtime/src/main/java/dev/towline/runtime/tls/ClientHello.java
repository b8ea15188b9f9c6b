package dev.towline.runtime.tls;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What the first message of a TLS connection offers: versions, suites and groups by their names, in
 * the order in which they were offered.
 *
 * @param groups empty when the peer says none
 */
public record ClientHello(List<String> protocols, List<String> suites, List<String> groups) {
  private static final int RECORD_HEADER = 5;
  private static final int HANDSHAKE = 22;
  private static final int CLIENT_HELLO = 1;
  private static final int MOST_BYTES = 16 << 10;
  private static final int SUPPORTED_GROUPS = 10;
  private static final int SUPPORTED_VERSIONS = 43;
  private static final int RENEGOTIATION_SIGNAL = 0xff;

  private static final Map<Integer, String> SUITES =
      Map.ofEntries(
          Map.entry(0x1301, "TLS_AES_128_GCM_SHA256"),
          Map.entry(0x1302, "TLS_AES_256_GCM_SHA384"),
          Map.entry(0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
          Map.entry(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
          Map.entry(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
          Map.entry(0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
          Map.entry(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
          Map.entry(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
          Map.entry(0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
          Map.entry(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
          Map.entry(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
          Map.entry(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
          Map.entry(0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
          Map.entry(0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
          Map.entry(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
          Map.entry(0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
          Map.entry(0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
          Map.entry(0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
          Map.entry(0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
          Map.entry(0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
          Map.entry(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
          Map.entry(0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
          Map.entry(0x0005, "TLS_RSA_WITH_RC4_128_SHA"));

  private static final Map<Integer, String> GROUPS =
      Map.of(
          23, "secp256r1",
          24, "secp384r1",
          25, "secp521r1",
          29, "x25519",
          30, "x448",
          256, "ffdhe2048",
          4588, "x25519mlkem768");

  public ClientHello {
    protocols = List.copyOf(protocols);
    suites = List.copyOf(suites);
    groups = List.copyOf(groups);
  }

  /** Collects the first bytes of a connection until they are a whole message, or can't be one. */
  public static final class Reader {
    private byte[] seen = {};
    private boolean done;

    /** Whether nothing that follows is of interest. */
    public boolean isDone() {
      return done;
    }

    /** Takes bytes as they arrive, cut anywhere; gives the message once, when it is complete. */
    public Optional<ClientHello> feed(byte[] bytes) {
      if (done) {
        return Optional.empty();
      }
      byte[] more = new byte[seen.length + bytes.length];
      System.arraycopy(seen, 0, more, 0, seen.length);
      System.arraycopy(bytes, 0, more, seen.length, bytes.length);
      seen = more;
      try {
        Optional<ClientHello> found = parse(seen);
        done = found.isPresent() || seen.length > MOST_BYTES;
        return found;
      } catch (IllegalArgumentException | BufferUnderflowException _) {
        done = true;
        return Optional.empty();
      } finally {
        if (done) {
          seen = new byte[0];
        }
      }
    }
  }

  /** Empty while it is not complete. */
  private static Optional<ClientHello> parse(byte[] bytes) {
    ByteBuffer input = ByteBuffer.wrap(bytes);
    ByteBuffer message = ByteBuffer.allocate(bytes.length);
    while (input.remaining() >= RECORD_HEADER) {
      if (input.get() != HANDSHAKE) {
        throw new IllegalArgumentException("no handshake record");
      }
      input.getShort();
      int length = Short.toUnsignedInt(input.getShort());
      boolean whole = length <= input.remaining();
      byte[] body = new byte[Math.min(length, input.remaining())];
      input.get(body);
      message.put(body);
      Optional<ClientHello> found = message(message.duplicate().flip());
      if (found.isPresent() || !whole) {
        return found;
      }
    }
    return Optional.empty();
  }

  private static Optional<ClientHello> message(ByteBuffer in) {
    if (in.remaining() < 4) {
      return Optional.empty();
    }
    if (in.get() != CLIENT_HELLO) {
      throw new IllegalArgumentException("no ClientHello");
    }
    int length = Byte.toUnsignedInt(in.get()) << 16 | Short.toUnsignedInt(in.getShort());
    if (in.remaining() < length) {
      return Optional.empty();
    }
    in.limit(in.position() + length);
    String legacyVersion = version(Short.toUnsignedInt(in.getShort()));
    skip(in, 32);
    skip(in, Byte.toUnsignedInt(in.get()));
    List<String> suites = new ArrayList<>();
    for (int code : codes(in, Short.toUnsignedInt(in.getShort()))) {
      // What is no suite: signals, and values that only test a server's patience.
      if (code != RENEGOTIATION_SIGNAL && code != 0x5600 && !isGrease(code)) {
        suites.add(SUITES.getOrDefault(code, hex(code)));
      }
    }
    skip(in, Byte.toUnsignedInt(in.get()));
    List<String> versions = new ArrayList<>();
    List<String> groups = new ArrayList<>();
    if (in.remaining() >= 2) {
      in.getShort();
    }
    while (in.remaining() >= 4) {
      int type = Short.toUnsignedInt(in.getShort());
      ByteBuffer content = take(in, Short.toUnsignedInt(in.getShort()));
      if (type == SUPPORTED_VERSIONS) {
        for (int code : codes(content, Byte.toUnsignedInt(content.get()))) {
          if (!isGrease(code)) {
            versions.add(version(code));
          }
        }
      } else if (type == SUPPORTED_GROUPS) {
        for (int code : codes(content, Short.toUnsignedInt(content.getShort()))) {
          if (!isGrease(code)) {
            groups.add(GROUPS.getOrDefault(code, hex(code)));
          }
        }
      }
    }
    return Optional.of(
        new ClientHello(versions.isEmpty() ? List.of(legacyVersion) : versions, suites, groups));
  }

  private static List<Integer> codes(ByteBuffer in, int bytes) {
    ByteBuffer list = take(in, bytes);
    List<Integer> codes = new ArrayList<>();
    while (list.remaining() >= 2) {
      codes.add(Short.toUnsignedInt(list.getShort()));
    }
    return codes;
  }

  private static ByteBuffer take(ByteBuffer in, int bytes) {
    if (bytes > in.remaining()) {
      throw new BufferUnderflowException();
    }
    ByteBuffer part = in.slice(in.position(), bytes);
    in.position(in.position() + bytes);
    return part;
  }

  private static void skip(ByteBuffer in, int bytes) {
    var _ = take(in, bytes);
  }

  private static boolean isGrease(int code) {
    return (code & 0x0f0f) == 0x0a0a && code >> 8 == (code & 0xff);
  }

  private static String version(int code) {
    return switch (code) {
      case 0x0300 -> "SSLv3";
      case 0x0301 -> "TLSv1";
      case 0x0302 -> "TLSv1.1";
      case 0x0303 -> "TLSv1.2";
      case 0x0304 -> "TLSv1.3";
      default -> hex(code);
    };
  }

  private static String hex(int code) {
    return String.format(Locale.ROOT, "0x%04x", code);
  }
}
