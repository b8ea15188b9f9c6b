package dev.towline.relay.tunnel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.Chunk;
import dev.towline.proto.v1.OpenTunnel;
import dev.towline.proto.v1.RelayTarget;
import io.grpc.Drainable;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.netty.buffer.Unpooled;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The wire is that of the generated message, whatever the marshaller does inside. */
final class FrameMarshallerTest {
  private static final FrameMarshaller MARSHALLER = FrameMarshaller.INSTANCE;

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 127, 128, 2047, 2048, 16_383, 16_384, 65_536, 131_072, 2_097_152})
  void data_isWhatTheGeneratedMessageIs(int size) throws IOException {
    byte[] data = new byte[size];
    new Random(size).nextBytes(data);
    byte[] generated = Chunk.newBuilder().setData(ByteString.copyFrom(data)).build().toByteArray();

    assertThat(drained(data)).isEqualTo(generated);
    assertThat(outbound(data).readAllBytes()).isEqualTo(generated);
    assertThat(outbound(data).available()).isEqualTo(generated.length);
    assertThat(content(MARSHALLER.parse(new ByteArrayInputStream(generated)))).isEqualTo(data);
  }

  @Test
  void otherFrames_surviveTheWire() throws IOException {
    OpenTunnel open =
        OpenTunnel.newBuilder()
            .setTarget(RelayTarget.RELAY_TARGET_PUBLIC_HTTP)
            .setSourceAddress("192.0.2.7:4711")
            .addHops("child")
            .build();
    for (Frame frame :
        new Frame[] {
          new Frame.Open(open),
          new Frame.Opened(),
          new Frame.Fin(),
          new Frame.Reset("LINK_LOST", "why"),
          new Frame.Credit(65_536)
        }) {
      byte[] wire = MARSHALLER.stream(frame).readAllBytes();
      assertThat(Chunk.parseFrom(wire).getChunkCase()).isNotNull();
      assertThat(MARSHALLER.parse(new ByteArrayInputStream(wire))).isEqualTo(frame);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "12", "12ff", "1205aabb", "12ffffffffff", "ffff", "0801"})
  void malformed_isRefused(String hex) {
    byte[] wire = java.util.HexFormat.of().parseHex(hex);
    assertThatThrownBy(() -> MARSHALLER.parse(new ByteArrayInputStream(wire)))
        .isInstanceOf(StatusRuntimeException.class);
  }

  private static InputStream outbound(byte[] data) {
    return MARSHALLER.stream(new Frame.Data(new BufPayload(Unpooled.wrappedBuffer(data))));
  }

  private static byte[] drained(byte[] data) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int length = ((Drainable) outbound(data)).drainTo(out);
    assertThat(length).isEqualTo(out.size());
    return out.toByteArray();
  }

  private static byte[] content(Frame frame) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ((NettyPayload) ((Frame.Data) frame).payload()).copyTo(out);
    return out.toByteArray();
  }
}
