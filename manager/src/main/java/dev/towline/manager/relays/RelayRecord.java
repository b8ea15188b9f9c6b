package dev.towline.manager.relays;

/**
 * A relay as it was set up; what is known of the running program is in its node of the same id,
 * once it enrolled.
 *
 * @param dialAddress of a child: host:port that its parents dial; empty for a parent
 * @param downstreamAddress of a child: host that hosts below it use
 * @param parent whether it may be given children
 */
public record RelayRecord(
    String id,
    String name,
    boolean parent,
    String dialAddress,
    String downstreamAddress,
    int sessionPort,
    int publicPort,
    int updatesPort,
    long createdMs) {

  /** Whether it is, or shall be, dialled by parents. */
  public boolean child() {
    return !dialAddress.isEmpty();
  }

  RelayRecord asParent() {
    return new RelayRecord(
        id,
        name,
        true,
        dialAddress,
        downstreamAddress,
        sessionPort,
        publicPort,
        updatesPort,
        createdMs);
  }
}
