package dev.towline.runtime.tls;

import dev.towline.runtime.identity.IssuedIdentity;
import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * Presents whatever identity is current, so that a renewed certificate is used from the next
 * handshake on. Without one, a client presents nothing. A listener may hold an RSA certificate
 * beside the P-256 one, for peers of older suites.
 *
 * <p>Key and chain are asked for one after the other: the alias says of which identity, so that a
 * renewal in between does not part them. Safe for use by several threads.
 */
final class CurrentKeyManager extends X509ExtendedKeyManager {
  /** Handshakes under way hold on to an identity that was replaced. */
  private static final int REMEMBERED = 8;

  private final Supplier<Optional<IssuedIdentity>> identity;
  private final Supplier<Optional<IssuedIdentity>> rsa;
  private final Map<String, IssuedIdentity> handedOut = new LinkedHashMap<>();

  CurrentKeyManager(Supplier<Optional<IssuedIdentity>> identity) {
    this(identity, Optional::empty);
  }

  CurrentKeyManager(
      Supplier<Optional<IssuedIdentity>> identity, Supplier<Optional<IssuedIdentity>> rsa) {
    this.identity = identity;
    this.rsa = rsa;
  }

  private @Nullable String alias(Supplier<Optional<IssuedIdentity>> source) {
    return source.get().map(this::alias).orElse(null);
  }

  private synchronized String alias(IssuedIdentity current) {
    String alias = current.leaf().getSerialNumber().toString(Character.MAX_RADIX);
    if (handedOut.put(alias, current) == null && handedOut.size() > REMEMBERED) {
      handedOut.remove(handedOut.keySet().iterator().next());
    }
    return alias;
  }

  private synchronized Optional<IssuedIdentity> named(String alias) {
    return Optional.ofNullable(handedOut.get(alias));
  }

  private @Nullable String serverAlias(String keyType) {
    return switch (keyType) {
      case "RSA" -> alias(rsa);
      case "EC", "EC_EC", "EC_RSA" -> alias(identity);
      default -> null;
    };
  }

  private static String @Nullable [] several(@Nullable String alias) {
    return alias == null ? null : new String[] {alias};
  }

  @Override
  public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
    return several(alias(identity));
  }

  @Override
  public @Nullable String chooseClientAlias(
      String[] keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return alias(identity);
  }

  @Override
  public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
    return several(serverAlias(keyType));
  }

  @Override
  public @Nullable String chooseServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return serverAlias(keyType);
  }

  @Override
  public @Nullable String chooseEngineClientAlias(
      String[] keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return alias(identity);
  }

  @Override
  public @Nullable String chooseEngineServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return serverAlias(keyType);
  }

  @Override
  public X509Certificate @Nullable [] getCertificateChain(String alias) {
    return named(alias).map(i -> i.chain().toArray(new X509Certificate[0])).orElse(null);
  }

  @Override
  public @Nullable PrivateKey getPrivateKey(String alias) {
    return named(alias).map(IssuedIdentity::key).orElse(null);
  }
}
