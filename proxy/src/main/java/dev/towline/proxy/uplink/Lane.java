package dev.towline.proxy.uplink;

import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.SpoolQueue;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkHello;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;

/**
 * One stream of the uplink that is up, with the sessions that go over it and what waits for it:
 * sessions take turns, and what is kept goes behind them. Part of the serial order of {@link
 * UplinkMux}.
 */
public final class Lane {
  final LanePort port;
  final UplinkHello.Lane kind;
  final int initialCredit;
  final Map<Long, AgentLink> sessions = new HashMap<>();

  /** Sessions that have something to send. */
  final ArrayDeque<AgentLink> queue = new ArrayDeque<>();

  private final ArrayDeque<UplinkFrame> records = new ArrayDeque<>();
  private final ArrayDeque<UplinkFrame> bulk = new ArrayDeque<>();
  private long keptBytes;

  Lane(LanePort port, UplinkHello.Lane kind, int initialCredit) {
    this.port = port;
    this.kind = kind;
    this.initialCredit = initialCredit;
  }

  boolean control() {
    return kind == UplinkHello.Lane.CONTROL;
  }

  /** Takes a kept record, for when no session has anything to send. */
  void addKept(KeptRecord record) {
    UplinkFrame frame = UplinkFrame.newBuilder().setKept(record).build();
    keptBytes += frame.getSerializedSize();
    (record.getQueue() == SpoolQueue.SPOOL_QUEUE_RECORDS ? records : bulk).add(frame);
    sendKept();
  }

  /** Sends what is kept, records before logs, as long as no session wants to send. */
  void sendKept() {
    while (queue.isEmpty() && port.isReady()) {
      UplinkFrame frame = records.isEmpty() ? bulk.poll() : records.poll();
      if (frame == null) {
        return;
      }
      keptBytes -= frame.getSerializedSize();
      port.send(frame);
    }
  }

  /** What is kept and waits takes another way. */
  void forgetKept() {
    records.clear();
    bulk.clear();
    keptBytes = 0;
  }

  long keptBytes() {
    return keptBytes;
  }
}
