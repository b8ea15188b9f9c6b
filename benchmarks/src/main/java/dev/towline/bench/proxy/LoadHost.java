package dev.towline.bench.proxy;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.BeginEnrollment;
import dev.towline.proto.v1.EnrollmentChallenge;
import dev.towline.proto.v1.EnrollmentIssued;
import dev.towline.proto.v1.EnrollmentProof;
import dev.towline.proto.v1.EnrollmentRequest;
import dev.towline.proto.v1.EnrollmentResponse;
import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What an agent's host has: a name, facts, a key made beforehand, and a certificate once it is
 * enrolled.
 */
final class LoadHost {
  private final HostFacts facts;
  private final KeyPair key;
  private final byte[] request;
  private @Nullable IssuedIdentity identity;

  LoadHost(String name, SecureRandom random) {
    this.key = Keys.newP256(random);
    this.request = CertificateRequests.create(key);
    byte[] id = Fingerprints.sha256(name.getBytes(StandardCharsets.UTF_8));
    this.facts =
        HostFacts.newBuilder()
            .setHostName(name)
            .setOs("Debian GNU/Linux")
            .setOsVersion("12")
            .setArchitecture("x86_64")
            .setKernel("6.1.0")
            .setMachineId(HexFormat.of().formatHex(id))
            .setBootId(HexFormat.of().formatHex(id, 0, 16))
            .setProgramVersion("load")
            .addAddresses("127.0.0.1")
            .setAssetKind("HOST")
            .build();
  }

  HostFacts facts() {
    return facts;
  }

  IssuedIdentity identity() {
    if (identity == null) {
      throw new IllegalStateException(facts.getHostName() + " is not enrolled");
    }
    return identity;
  }

  @Nullable IssuedIdentity identityOrNull() {
    return identity;
  }

  /** Does something of TLS with this host's certificate. */
  <T> T turn(Supplier<T> work) {
    return AgentTls.turn(identity(), work);
  }

  /** The conversation that gives it a certificate; completes with the fleet's roots. */
  final class Enrolling implements GrpcCall.Listener {
    private final EnrollmentFile file;
    private final CompletableFuture<List<X509Certificate>> done;
    private @Nullable GrpcCall call;

    Enrolling(EnrollmentFile file, CompletableFuture<List<X509Certificate>> done) {
      this.file = file;
      this.done = done;
    }

    @Override
    public void opened(GrpcCall opened) {
      call = opened;
      opened.send(
          EnrollmentRequest.newBuilder()
              .setBegin(
                  BeginEnrollment.newBuilder()
                      .setTokenId(file.tokenId())
                      .setRole(file.role().toProto()))
              .build());
    }

    @Override
    public void message(ByteBuf message) {
      try {
        EnrollmentResponse response = EnrollmentResponse.parseFrom(message.nioBuffer());
        switch (response.getStepCase()) {
          case CHALLENGE -> prove(response.getChallenge());
          case ISSUED -> issued(response.getIssued());
          case REFUSED, STEP_NOT_SET ->
              done.completeExceptionally(new IllegalStateException(response.toString()));
        }
      } catch (InvalidProtocolBufferException e) {
        done.completeExceptionally(e);
      }
    }

    private void prove(EnrollmentChallenge challenge) {
      byte[] proof =
          file.secret()
              .proof(
                  Fingerprints.sha256(request),
                  challenge.getNonce().toByteArray(),
                  HexFormat.of().parseHex(file.caFingerprint()),
                  Fingerprints.sha256(facts.toByteArray()));
      if (call != null) {
        call.send(
            EnrollmentRequest.newBuilder()
                .setProof(
                    EnrollmentProof.newBuilder()
                        .setCertificateRequest(ByteString.copyFrom(request))
                        .setProof(ByteString.copyFrom(proof))
                        .setFacts(facts))
                .build());
        call.halfClose();
      }
    }

    private void issued(EnrollmentIssued issued) {
      identity =
          new IssuedIdentity(
              NodeIdentity.parse(issued.getIdentity()).orElseThrow(),
              key.getPrivate(),
              Certificates.fromProto(issued.getChainList()));
      done.complete(Certificates.fromProto(issued.getRootsList()));
      if (call != null) {
        call.shutDown();
      }
    }

    @Override
    public void closed(String why) {
      done.completeExceptionally(new IllegalStateException(why));
    }
  }
}
