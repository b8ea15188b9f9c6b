package dev.towline.manager.logs;

import com.google.common.cache.Cache;
import com.google.common.cache.CacheBuilder;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.nodes.CertifiedKeys;
import dev.towline.manager.store.Store;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.SignedLogBatch;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import java.security.PublicKey;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Checks log batches: each is signed with a key that this fleet certified for the agent it names,
 * whoever brings it. Safe for use by several threads; asks the store for agents it has not seen for
 * a while.
 */
public final class LogBatches {
  public static final String FORGED = "log.forged";

  private static final String CONTEXT = "towline logs v1";
  private static final int LARGEST = 64 << 10;

  private final Store store;
  private final String fleet;

  /** The key that signed an agent's last batch. */
  private final Cache<String, PublicKey> keys =
      CacheBuilder.newBuilder().maximumSize(20_000).expireAfterWrite(Duration.ofMinutes(1)).build();

  public LogBatches(Store store, String fleet) {
    this.store = store;
    this.fleet = fleet;
  }

  /** What a batch turned out to be. */
  public sealed interface Checked {
    record Good(String node, LogBatch batch) implements Checked {}

    /**
     * @param claimed the id of the agent that it names; empty when it names none
     */
    record Forged(String claimed, String why) implements Checked {}
  }

  /** Checks a batch that a proxy kept. */
  public Checked check(SignedLogBatch signed) {
    LogBatch batch;
    try {
      batch = LogBatch.parseFrom(signed.getBatch());
    } catch (InvalidProtocolBufferException e) {
      return new Checked.Forged("", "a log batch that can't be read");
    }
    Optional<NodeIdentity> agent = NodeIdentity.parse(batch.getAgent());
    if (agent.isEmpty() || !agent.get().fleet().equals(fleet) || agent.get().role() != Role.AGENT) {
      return new Checked.Forged("", "a log batch of '" + batch.getAgent() + "'");
    }
    return check(signed, batch, agent.get().id());
  }

  /** Checks a batch that an agent sent on its own session. */
  public Checked check(SignedLogBatch signed, NodeIdentity agent) {
    Checked checked = check(signed);
    return checked instanceof Checked.Good(String node, _) && !node.equals(agent.id())
        ? new Checked.Forged(agent.id(), "a log batch of " + node + " in the session of " + agent)
        : checked;
  }

  private Checked check(SignedLogBatch signed, LogBatch batch, String id) {
    if (signed.getBatch().size() > LARGEST
        || batch.getRecordsCount() == 0
        || batch.getFirstSequence() < 1
        || batch.getEpoch() < 0) {
      return new Checked.Forged(
          id,
          "a log batch of %d bytes with %d records from %d"
              .formatted(
                  signed.getBatch().size(), batch.getRecordsCount(), batch.getFirstSequence()));
    }
    PublicKey known = keys.getIfPresent(id);
    if (known != null && isSigned(known, signed)) {
      return new Checked.Good(id, batch);
    }
    List<PublicKey> certified = store.read(tx -> CertifiedKeys.of(tx, id));
    for (PublicKey key : certified) {
      if (isSigned(key, signed)) {
        keys.put(id, key);
        return new Checked.Good(id, batch);
      }
    }
    return new Checked.Forged(id, "a log batch that is not signed by its agent");
  }

  private static boolean isSigned(PublicKey key, SignedLogBatch signed) {
    return Signatures.verifyP256(
        key, CONTEXT, signed.getBatch().toByteArray(), signed.getSignature().toByteArray());
  }
}
