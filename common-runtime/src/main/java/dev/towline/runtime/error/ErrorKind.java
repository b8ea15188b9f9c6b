package dev.towline.runtime.error;

/** Who has to act on a failure. */
public enum ErrorKind {
  /** The caller: the request can't be carried out as it stands. */
  USER,
  /** Another system: the network, a peer, the disk. */
  EXTERNAL,
  /** A limit was reached; the same request may succeed later. */
  CAPACITY,
  /** A defect of Towline. */
  INTERNAL
}
