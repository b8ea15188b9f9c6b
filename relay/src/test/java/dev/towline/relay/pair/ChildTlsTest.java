package dev.towline.relay.pair;

import dev.towline.relay.child.ChildAuthority;
import dev.towline.relay.child.RelayChild;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.ProfileHandshakes;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The dial port of a child relay against a TLS that is not ours. */
@Requirement({"T1", "T2"})
class ChildTlsTest {
  @TempDir private Path directory;

  @ParameterizedTest
  @EnumSource(TlsProfile.class)
  void everySuite_isTakenExactlyWhereTheProfileHasIt(TlsProfile profile) throws Exception {
    int port = FreePorts.next();
    try (var pair = new Pair("127.0.0.1:1", "127.0.0.1:1")) {
      RelayChild child = pair.newChild(port);
      Optional<IssuedIdentity> rsa =
          profile.wantsRsa()
              ? Optional.of(pair.fleet.issueRsa(Role.RELAY, "child-1"))
              : Optional.empty();
      child.startRegistered(
          new ChildAuthority.Registered(
              profile, () -> Optional.of(pair.childIdentity), () -> rsa, pair.fleet.verifier()),
          "child-1");
      ProfileHandshakes.with(port, directory, List.of(pair.fleet.root()))
          .as(pair.parentIdentity)
          .assertProfile(profile);
    }
  }
}
