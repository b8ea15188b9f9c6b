package dev.towline.proxy.uplink;

import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.SignedLogBatch;
import java.util.function.Consumer;

/**
 * What the multiplexer needs of the spool. Called in the multiplexer's serial order; must return at
 * once.
 */
public interface KeptQueue {
  /**
   * Keeps a log batch.
   *
   * @param identity who the outer handshake said it is
   * @param kept called by any thread when the batch is on the disk
   * @return false when there is no room now: the agent sends it again
   */
  boolean keep(String identity, SignedLogBatch batch, Consumer<RecordAck> kept);

  /**
   * There is another way to a manager.
   *
   * @param number grows with each; 0 when there is none
   */
  void way(long number);

  /** A manager has everything up to this sequence. */
  void acknowledged(long sequence);

  /** Without one, nothing is kept. */
  KeptQueue NONE =
      new KeptQueue() {
        @Override
        public boolean keep(String identity, SignedLogBatch batch, Consumer<RecordAck> kept) {
          return false;
        }

        @Override
        public void way(long number) {}

        @Override
        public void acknowledged(long sequence) {}
      };
}
