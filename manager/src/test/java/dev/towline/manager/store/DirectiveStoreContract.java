package dev.towline.manager.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.actions.StoredAction;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.NewDirective;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.SignedResult;
import dev.towline.proto.v1.TargetState;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** What every store does with directives, their results and actions. */
interface DirectiveStoreContract extends StoreAccess {
  @Test
  default void directives_sequence_comesFromTheTarget() {
    create(node("n1", "web-1", "web", List.of()));
    create(node("n2", "web-2", "web", List.of()));
    try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<CompletableFuture<QueuedDirective>> added =
          IntStream.range(0, 200)
              .mapToObj(i ->
                  CompletableFuture.supplyAsync(
                      () ->
                          store()
                              .commit(tx ->
                                  tx.directives()
                                      .add(directive("d" + i, i % 2 == 0 ? "n1" : "n2"))),
                      executor))
              .toList();
      added.forEach(CompletableFuture::join);
    }
    for (String target : List.of("n1", "n2")) {
      assertThat(many(tx -> tx.directives().after(target, 0, 1000)))
          .extracting(QueuedDirective::sequence)
          .containsExactlyElementsOf(LongStream.rangeClosed(1, 100).boxed().toList());
    }
    assertThat(many(tx -> tx.directives().after("n1", 97, 2)))
        .extracting(QueuedDirective::sequence)
        .containsExactly(98L, 99L);
  }

  @Test
  default void directives_forManyTargets_keepOrderAndSequences() {
    int hosts = 700;
    write(tx -> {
      for (int i = 0; i < hosts; i++) {
        tx.nodes().create(node("n" + i, "web-" + i, "web", List.of()));
      }
      tx.directives().add(directive("first", "n3"));
    });
    List<QueuedDirective> added =
        store()
            .<List<QueuedDirective>>commit(tx ->
                tx.directives()
                    .addAll(
                        IntStream.range(0, hosts)
                            .mapToObj(i -> directive("d" + i, "n" + i))
                            .toList()));
    assertThat(added)
        .extracting(QueuedDirective::id)
        .containsExactlyElementsOf(IntStream.range(0, hosts).mapToObj(i -> "d" + i).toList());
    assertThat(added.get(3).sequence()).isEqualTo(2);
    assertThat(added.get(699).sequence()).isEqualTo(1);
    assertThat(many(tx -> tx.directives().after("n3", 1, 10))).containsExactly(added.get(3));
    assertThat(many(tx -> tx.directives().after("n699", 0, 10))).containsExactly(added.get(699));
  }

  @Test
  default void directive_states_onlyMoveOn() {
    create(node("n1", "web-1", "web", List.of()));
    write(tx -> tx.directives().add(directive("d1", "n1")));
    write(tx -> tx.directives().accepted("n1", 1));
    assertThat(state("d1")).isEqualTo(DirectiveState.QUEUED);
    write(tx -> tx.directives().delivered("n1", 1));
    write(tx -> tx.directives().accepted("n1", 1));
    assertThat(state("d1")).isEqualTo(DirectiveState.ACCEPTED);
    write(tx -> tx.directives().delivered("n1", 1));
    assertThat(state("d1")).isEqualTo(DirectiveState.ACCEPTED);
    assertThat(
            store()
                .<Boolean>commit(tx ->
                    tx.directives()
                        .end("d1", DirectiveState.ENDED, Outcome.OUTCOME_CANCELLED, "", 5)))
        .isTrue();
    assertThat(
            store()
                .<Boolean>commit(
                    tx -> tx.directives().advance("n1", 1, DirectiveState.RUNNING, "")))
        .isFalse();
  }

  @Test
  default void directives_expire_queuedSoonerThanDelivered() {
    create(node("n1", "web-1", "web", List.of()));
    write(tx -> tx.directives().add(directive("d1", "n1")));
    write(tx -> tx.directives().delivered("n1", 1));
    write(tx -> tx.directives().add(directive("d2", "n1")));
    assertThat(store().<List<QueuedDirective>>commit(tx -> tx.directives().expire(1001, 900, 10)))
        .extracting(QueuedDirective::id)
        .containsExactly("d2");
    assertThat(store().<List<QueuedDirective>>commit(tx -> tx.directives().expire(2000, 2000, 10)))
        .extracting(QueuedDirective::id)
        .containsExactly("d1");
  }

  @Test
  default void result_storedTwice_countsOnce() {
    create(node("n1", "web-1", "web", List.of()));
    action("a1", "d1", "n1");
    SignedResult signed = result("d1", 1, Outcome.OUTCOME_SUCCEEDED, "hello");
    assertThat(save("n1", signed)).isTrue();
    assertThat(save("n1", signed)).isFalse();
    var target = many(tx -> tx.actions().targets("a1", true)).getFirst();
    assertThat(target.getState()).isEqualTo(TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(target.getOutput().toStringUtf8()).isEqualTo("hello");
    assertThat(target.getHostName()).isEqualTo("web-1");
    assertThat(many(tx -> tx.actions().targets("a1", false)).getFirst().getOutput())
        .isEqualTo(ByteString.EMPTY);
    assertThat(is(tx -> tx.actions().ended("a1"))).isTrue();
  }

  @Test
  default void interrupt_afterRollback_endsWhatHasNoResult() {
    create(node("n1", "web-1", "web", List.of()));
    action("a1", "d1", "n1");
    action("a2", "d2", "n1");
    write(tx -> tx.directives().delivered("n1", 1));
    assertThat(
            store()
                .<List<QueuedDirective>>commit(
                    tx -> tx.directives().interrupt("n1", 2, "rolled back", 7)))
        .extracting(QueuedDirective::id)
        .containsExactly("d1");
    assertThat(is(tx -> tx.actions().ended("a1"))).isTrue();
    assertThat(is(tx -> tx.actions().ended("a2"))).isFalse();
    assertThat(one(tx -> tx.sessions().find("n1")).orElseThrow().lastDelivered()).isEqualTo(1);
  }

  @Test
  default void actions_list_isNewestFirstInPages() {
    for (int i = 0; i < 5; i++) {
      int number = i;
      write(tx -> tx.actions().create(storedAction("a" + number, number / 2, "key" + number)));
    }
    assertThat(many(tx -> tx.actions().list("", 3)))
        .extracting(StoredAction::id)
        .containsExactly("a4", "a3", "a2");
    assertThat(many(tx -> tx.actions().list("a2", 3)))
        .extracting(StoredAction::id)
        .containsExactly("a1", "a0");
    assertThat(one(tx -> tx.actions().withKey("key3")).orElseThrow().id()).isEqualTo("a3");
  }

  default DirectiveState state(String id) {
    return one(tx -> tx.directives().find(id)).orElseThrow().state();
  }

  default void action(String id, String directive, String target) {
    write(tx -> tx.actions().create(storedAction(id, 1, "")));
    write(tx ->
        tx.directives()
            .add(
                new NewDirective(
                    directive,
                    target,
                    DirectiveKind.DIRECTIVE_KIND_NO_OP,
                    ByteString.EMPTY,
                    1,
                    1000,
                    id,
                    DirectiveState.QUEUED)));
  }

  default boolean save(String node, SignedResult signed) {
    return store()
        .commit(tx -> {
          try {
            return tx.directives()
                .saveResult(node, DirectiveResult.parseFrom(signed.getResult()), signed, 3);
          } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException(e);
          }
        });
  }

  static SignedResult result(String directive, long record, Outcome outcome, String out) {
    return SignedResult.newBuilder()
        .setResult(
            DirectiveResult.newBuilder()
                .setDirectiveId(directive)
                .setEpoch(1)
                .setRecordSequence(record)
                .setOutcome(outcome)
                .setOutput(ByteString.copyFromUtf8(out))
                .build()
                .toByteString())
        .setSignature(ByteString.copyFromUtf8("signature"))
        .build();
  }

  static StoredAction storedAction(String id, long createdMs, String key) {
    return new StoredAction(
        id, "all", true, RunAction.getDefaultInstance(), "admin", createdMs, 9, key, "");
  }

  static NewDirective directive(String id, String target) {
    return new NewDirective(
        id,
        target,
        DirectiveKind.DIRECTIVE_KIND_NO_OP,
        ByteString.EMPTY,
        1,
        1000,
        "",
        DirectiveState.QUEUED);
  }
}
