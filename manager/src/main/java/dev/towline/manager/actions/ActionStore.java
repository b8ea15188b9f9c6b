package dev.towline.manager.actions;

import dev.towline.proto.v1.ActionTarget;
import java.util.List;
import java.util.Optional;

/** Actions; what each target does of one is a directive. Part of a transaction. */
public interface ActionStore {
  void create(StoredAction action);

  Optional<StoredAction> find(String id);

  Optional<StoredAction> withKey(String idempotencyKey);

  /** Newest first, older than this one; the empty id starts at the newest. */
  List<StoredAction> list(String beforeId, int limit);

  /** In order of host name. */
  List<ActionTarget> targets(String action, boolean withOutput);

  /** One target of an action, with its output. */
  Optional<ActionTarget> target(String directive);

  /** Whether every target has ended. */
  boolean ended(String action);
}
