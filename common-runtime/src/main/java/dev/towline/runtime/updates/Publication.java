package dev.towline.runtime.updates;

import java.time.Instant;
import java.util.stream.Stream;

/** Everything that a repository says at one moment, checked. */
public record Publication(
    RootMetadata root,
    TimestampMetadata timestamp,
    SnapshotMetadata snapshot,
    TargetsMetadata targets) {

  /** From when on none of it is to be believed, unless something new is signed. */
  public Instant expires() {
    return Stream.of(root, timestamp, snapshot, targets)
        .map(Metadata::expires)
        .min(Instant::compareTo)
        .orElseThrow();
  }
}
