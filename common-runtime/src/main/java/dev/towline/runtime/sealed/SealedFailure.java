package dev.towline.runtime.sealed;

/** Why a sealed channel can't go on. */
public record SealedFailure(Reason reason, String detail) {
  /** The kinds of end. */
  public enum Reason {
    /** A record failed its authentication: altered, lost, repeated or out of order on the way. */
    BAD_RECORD,
    /** What arrived is not this protocol: no TLS record, or a handshake that makes no sense. */
    PROTOCOL,
    /** The peer's certificate isn't the fleet's, isn't valid now, or names the wrong role. */
    UNTRUSTED_PEER,
    /** The peer ended the connection with an alert, for instance because it didn't trust us. */
    REJECTED_BY_PEER,
    /** The peer ended the connection properly. */
    CLOSED_BY_PEER,
    /** The connection was intact but what it carried is no frame. */
    BAD_FRAME
  }

  /** Whether honest parties and an honest way never produce it, so that it is worth an event. */
  public boolean suspicious() {
    return switch (reason) {
      case BAD_RECORD, PROTOCOL, UNTRUSTED_PEER, BAD_FRAME -> true;
      case REJECTED_BY_PEER, CLOSED_BY_PEER -> false;
    };
  }
}
