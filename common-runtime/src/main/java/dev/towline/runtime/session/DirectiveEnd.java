package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.Outcome;
import java.time.Instant;

/** How carrying out a directive ended; becomes its signed result. */
public record DirectiveEnd(
    Outcome outcome,
    int exitStatus,
    ByteString output,
    boolean outputTruncated,
    Instant started,
    Instant finished,
    String detail) {

  /** An end without output. */
  public static DirectiveEnd of(Outcome outcome, Instant at, String detail) {
    return new DirectiveEnd(outcome, 0, ByteString.EMPTY, false, at, at, detail);
  }
}
