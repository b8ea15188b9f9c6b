package dev.towline.bench.inner;

import com.google.protobuf.ByteString;
import dev.towline.runtime.sealed.SealedChannel;
import dev.towline.runtime.sealed.SealedStep;

/** Nested TLS as the programs use it. */
final class TlsEnd implements InnerEnd {
  private final SealedChannel channel;

  TlsEnd(SealedChannel channel) {
    this.channel = channel;
  }

  @Override
  public byte[] start() {
    return checked(channel.start()).outgoing().toByteArray();
  }

  @Override
  public byte[] feed(byte[] bytes) {
    return checked(channel.feed(ByteString.copyFrom(bytes))).outgoing().toByteArray();
  }

  @Override
  public boolean established() {
    return channel.peer() != null;
  }

  @Override
  public byte[] seal(byte[] plaintext) {
    return checked(channel.send(ByteString.copyFrom(plaintext))).outgoing().toByteArray();
  }

  @Override
  public byte[] open(byte[] sealed) {
    return checked(channel.feed(ByteString.copyFrom(sealed))).plaintext().toByteArray();
  }

  @Override
  public void release() {
    channel.release();
  }

  private static SealedStep checked(SealedStep step) {
    if (step.failure() != null) {
      throw new IllegalStateException("inner TLS failed: " + step.failure());
    }
    return step;
  }
}
