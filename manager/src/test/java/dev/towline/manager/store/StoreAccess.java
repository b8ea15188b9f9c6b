package dev.towline.manager.store;

import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.Path;
import dev.towline.runtime.identity.Role;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/** The store under test, and short ways to ask it. */
interface StoreAccess {
  /** Open, and empty before each test. */
  Store store();

  default <T> Optional<T> one(Function<Tx, Optional<T>> query) {
    return store().read(query);
  }

  default <T> List<T> many(Function<Tx, List<T>> query) {
    return store().read(query);
  }

  default boolean is(Function<Tx, Boolean> query) {
    return store().read(query);
  }

  default int number(Function<Tx, Integer> query) {
    return store().read(query);
  }

  default void write(Consumer<Tx> work) {
    store()
        .commit(tx -> {
          work.accept(tx);
          return true;
        });
  }

  default void create(Node node) {
    write(tx -> tx.nodes().create(node));
  }

  default Node node(String id, String name, String group, List<String> tags) {
    return new Node(
        id,
        Role.AGENT,
        name,
        group,
        "eu",
        "provider",
        tags,
        "",
        "t1",
        HostFacts.newBuilder().setHostName(name).setMachineId("machine-" + id).build(),
        1,
        0,
        0,
        "",
        Presence.NEW,
        0,
        0,
        Path.getDefaultInstance(),
        "",
        "",
        "strict",
        "");
  }
}
