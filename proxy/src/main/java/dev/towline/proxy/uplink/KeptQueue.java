package dev.towline.proxy.uplink;

import dev.towline.proto.v1.ClientChange;
import dev.towline.proto.v1.KeptAck;
import dev.towline.proto.v1.RecordAck;
import dev.towline.proto.v1.SealedRecord;
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
   * Keeps what only the manager can read.
   *
   * @return false when it is not the agent's, or there is no room now: it keeps it itself
   */
  boolean keep(String identity, SealedRecord record, Consumer<RecordAck> kept);

  /** An agent came or went, and no manager sees it. */
  void changed(ClientChange change);

  /**
   * There is another way to a manager.
   *
   * @param number grows with each; 0 when there is none
   */
  void way(long number);

  /** So many bytes went to a manager that are not from here. */
  void sentBeside(int bytes);

  /** The manager says how many bytes per second are this proxy's part. */
  void share(long bandwidth);

  /** A manager has everything up to this. */
  void acknowledged(KeptAck ack);

  /** Without one, nothing is kept. */
  KeptQueue NONE =
      new KeptQueue() {
        @Override
        public boolean keep(String identity, SignedLogBatch batch, Consumer<RecordAck> kept) {
          return false;
        }

        @Override
        public boolean keep(String identity, SealedRecord record, Consumer<RecordAck> kept) {
          return false;
        }

        @Override
        public void changed(ClientChange change) {}

        @Override
        public void way(long number) {}

        @Override
        public void sentBeside(int bytes) {}

        @Override
        public void share(long bandwidth) {}

        @Override
        public void acknowledged(KeptAck ack) {}
      };
}
