package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.Revocation;
import dev.towline.proto.v1.RevocationList;
import dev.towline.proto.v1.RevocationStatement;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("T3")
final class RevocationRegistryTest {
  private final TestFleet fleet = new TestFleet(Clock.systemUTC());
  private final TestFleet.DirectiveSigner signer = fleet.directiveSigner("m1");
  private final NodeIdentity agent = new NodeIdentity(TestFleet.NAME, Role.AGENT, "a1");
  @TempDir private Path directory;

  @Test
  void update_newerList_isInForceAlsoAfterRestart() throws IOException {
    RevocationRegistry registry = open();
    assertThat(update(registry, list(2, signer))).isTrue();
    assertThat(registry.isRevoked(agent, "77")).isTrue();
    assertThat(registry.isRevoked(new NodeIdentity(TestFleet.NAME, Role.AGENT, "a2"), "77"))
        .isFalse();
    assertThat(registry.isRevoked(new NodeIdentity(TestFleet.NAME, Role.AGENT, "a2"), "ff"))
        .isTrue();
    assertThat(open().number()).isEqualTo(2);
    assertThat(open().isRevoked(agent, "77")).isTrue();
  }

  @Test
  void update_olderOrForeignOrAlteredList_changesNothing() throws IOException {
    RevocationRegistry registry = open();
    assertThat(update(registry, list(2, signer))).isTrue();
    assertThat(update(registry, list(1, signer))).isFalse();
    assertThat(update(registry, list(2, signer))).isFalse();
    var foreign = new TestFleet(Clock.systemUTC()).directiveSigner("m1");
    assertThat(update(registry, list(3, foreign))).isFalse();
    RevocationList altered =
        list(3, signer).toBuilder().setStatement(list(4, signer).getStatement()).build();
    assertThat(update(registry, altered)).isFalse();
    assertThat(registry.number()).isEqualTo(2);
  }

  private boolean update(RevocationRegistry registry, RevocationList list) throws IOException {
    return registry.update(list, fleet.verifier(), Clock.systemUTC().instant());
  }

  private RevocationRegistry open() throws IOException {
    return RevocationRegistry.open(directory.resolve("revocations"));
  }

  private RevocationList list(long number, TestFleet.DirectiveSigner by) {
    ByteString statement =
        RevocationStatement.newBuilder()
            .setNumber(number)
            .addRevoked(Revocation.newBuilder().setIdentity(agent.uri()))
            .addRevoked(Revocation.newBuilder().setSerial("ff"))
            .build()
            .toByteString();
    return RevocationList.newBuilder()
        .setStatement(statement)
        .setSignature(
            ByteString.copyFrom(
                Signatures.signEd25519(
                    by.key(), "towline revocations v1", statement.toByteArray())))
        .addAllSignerChain(Certificates.toProto(by.chain()))
        .build();
  }
}
