package dev.towline.proxy.uplink;

import dev.towline.proto.v1.DownlinkFrame;
import dev.towline.proto.v1.KeptRecord;
import dev.towline.proto.v1.UplinkFrame;
import dev.towline.proto.v1.UplinkReport;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The way of the spool to a manager: over one lane at a time, a bulk lane where there is one. Each
 * way has a number, so that what was meant for an earlier one is left out. Part of the serial order
 * of {@link UplinkMux}.
 */
final class KeptWay {
  private KeptQueue queue = KeptQueue.NONE;
  private @Nullable Lane lane;
  private long number;

  /** The spool that the way is for. */
  KeptQueue queue() {
    return queue;
  }

  void attach(KeptQueue spool) {
    queue = spool;
    spool.way(lane == null ? 0 : number);
  }

  /** Lanes came or went. */
  void choose(List<Lane> lanes) {
    Lane best = null;
    for (Lane candidate : lanes) {
      if (best == null || best.control() && !candidate.control()) {
        best = candidate;
      }
    }
    Lane present = lane;
    if (best == present) {
      return;
    }
    if (present != null) {
      if (best != null && lanes.contains(present) && best.control() == present.control()) {
        return;
      }
      present.forgetKept();
    }
    lane = best;
    number++;
    queue.way(best == null ? 0 : number);
  }

  /** Takes what a manager says to the spool; another lane's word is an old one. */
  void heard(Lane from, DownlinkFrame frame) {
    if (from != lane) {
      return;
    }
    if (frame.hasShare()) {
      queue.share(frame.getShare().getBandwidth());
    } else if (frame.hasKeptAck()) {
      queue.acknowledged(frame.getKeptAck());
    }
  }

  /** Sends a record behind everything else on its lane. */
  void send(long meantFor, KeptRecord record) {
    if (lane != null && meantFor == number) {
      lane.addKept(record);
    }
  }

  /** Tells how the spool stands; ahead of what is kept, and not of its kind. */
  void report(long meantFor, UplinkReport report) {
    if (lane != null && meantFor == number && lane.port.isReady()) {
      beside(lane, UplinkFrame.newBuilder().setReport(report).build());
    }
  }

  /** Sends what is not kept; the spool takes it off its share. */
  void beside(Lane over, UplinkFrame frame) {
    queue.sentBeside(WireBytes.of(frame.getSerializedSize()));
    over.port.send(frame);
  }
}
