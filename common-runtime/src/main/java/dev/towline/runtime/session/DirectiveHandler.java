package dev.towline.runtime.session;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.DirectiveKind;

/** Carries out the directives of some kinds. No-ops and skips never get here. */
public interface DirectiveHandler {
  boolean handles(DirectiveKind kind);

  /**
   * Takes a directive over: its acceptance is on the disk, so it comes once. Called on the
   * session's thread in the order of sequences; must return at once.
   */
  void accepted(AcceptedDirective directive, Progress progress);

  /** Where a handler reports. Thread-safe; works whether or not a session is up. */
  interface Progress {
    /** Notes on the disk that carrying out begins; call before the first effect. */
    void started() throws InterruptedException;

    /** Shows output while it comes; may be lost. */
    void output(long offset, ByteString data);

    /** Ends the directive; the first call counts. */
    void finished(DirectiveEnd end);
  }
}
