package dev.towline.manager.sending;

import dev.towline.proto.v1.ConfigureSending;
import dev.towline.proto.v1.SendingMode;

/**
 * A cluster's policy.
 *
 * @param linkCapacity bit per second of the link to the manager; 0 when it was not declared
 */
public record ClusterSending(ConfigureSending policy, long linkCapacity) {
  /** 10 GB. */
  static final long USUAL_SIZE = 10_000_000_000L;

  static final ClusterSending USUAL =
      new ClusterSending(
          ConfigureSending.newBuilder()
              .setMode(SendingMode.RETURN)
              .setSizeBytes(USUAL_SIZE)
              .build(),
          0);
}
