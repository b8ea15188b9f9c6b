package dev.towline.runtime.tls;

import dev.towline.runtime.identity.IssuedIdentity;
import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * Presents whatever identity is current, so that a renewed certificate is used from the next
 * handshake on. Without one, a client presents nothing.
 */
final class CurrentKeyManager extends X509ExtendedKeyManager {
  private static final String ALIAS = "towline";

  private final Supplier<Optional<IssuedIdentity>> identity;

  CurrentKeyManager(Supplier<Optional<IssuedIdentity>> identity) {
    this.identity = identity;
  }

  private @Nullable String alias() {
    return identity.get().isPresent() ? ALIAS : null;
  }

  private String @Nullable [] aliases() {
    return identity.get().isPresent() ? new String[] {ALIAS} : null;
  }

  @Override
  public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
    return aliases();
  }

  @Override
  public @Nullable String chooseClientAlias(
      String[] keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return alias();
  }

  @Override
  public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
    return aliases();
  }

  @Override
  public @Nullable String chooseServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return "EC".equals(keyType) ? alias() : null;
  }

  @Override
  public @Nullable String chooseEngineClientAlias(
      String[] keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return alias();
  }

  @Override
  public @Nullable String chooseEngineServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return keyType.startsWith("EC") ? alias() : null;
  }

  @Override
  public X509Certificate @Nullable [] getCertificateChain(String alias) {
    return identity.get().map(i -> i.chain().toArray(new X509Certificate[0])).orElse(null);
  }

  @Override
  public @Nullable PrivateKey getPrivateKey(String alias) {
    return identity.get().map(IssuedIdentity::key).orElse(null);
  }
}
