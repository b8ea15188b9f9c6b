package dev.towline.bench.inner;

import com.southernstorm.noise.protocol.DHState;
import com.southernstorm.noise.protocol.Noise;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.tls.FleetTls;
import io.grpc.netty.shaded.io.netty.buffer.PooledByteBufAllocator;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.JdkSslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.util.Optional;
import java.util.function.Supplier;

/** The candidates. */
enum InnerKind {
  BORINGSSL {
    @Override
    Factory factory(boolean client, Supplier<IssuedIdentity> identity, PeerVerifier verifier) {
      SslContext context =
          client
              ? FleetTls.innerClient(() -> Optional.of(identity.get()), verifier, p -> true)
              : FleetTls.innerServer(() -> Optional.of(identity.get()), verifier, p -> true);
      return () -> tls(context, client, verifier);
    }
  },
  JDK {
    @Override
    @SuppressWarnings("deprecation")
    Factory factory(boolean client, Supplier<IssuedIdentity> identity, PeerVerifier verifier) {
      SslContext context =
          new JdkSslContext(
              FleetTls.httpClient(() -> Optional.of(identity.get()), verifier, p -> true),
              client,
              ClientAuth.REQUIRE);
      return () -> tls(context, client, verifier);
    }
  },
  NOISE {
    @Override
    Factory factory(boolean client, Supplier<IssuedIdentity> identity, PeerVerifier verifier)
        throws Exception {
      DHState pair = Noise.createDH("25519");
      pair.generateKeyPair();
      byte[] key = new byte[pair.getPrivateKeyLength()];
      pair.getPrivateKey(key, 0);
      return () -> new NoiseEnd(client, identity.get(), key, verifier);
    }
  };

  /** Makes ends of one process. */
  interface Factory {
    InnerEnd newEnd() throws Exception;
  }

  abstract Factory factory(boolean client, Supplier<IssuedIdentity> identity, PeerVerifier verifier)
      throws Exception;

  private static InnerEnd tls(SslContext context, boolean client, PeerVerifier verifier) {
    Role expected = client ? Role.MANAGER : Role.AGENT;
    var allocator = PooledByteBufAllocator.DEFAULT;
    return new TlsEnd(
        client
            ? SealedChannel.client(context, verifier, p -> p.role() == expected, allocator)
            : SealedChannel.server(context, verifier, p -> p.role() == expected, allocator));
  }
}
