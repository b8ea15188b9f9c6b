package dev.towline.manager.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.events.EventRecord;
import dev.towline.manager.logs.LogLevel;
import dev.towline.manager.logs.LogQuery;
import dev.towline.manager.logs.StoredLog;
import dev.towline.manager.proxies.ProxyCluster;
import dev.towline.manager.relays.RelayRecord;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.testing.Requirement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every store does, whatever the database. */
@Requirement("G3")
abstract class StoreContract
    implements NodeStoreContract, DirectiveStoreContract, PolicyStoreContract {
  private Store store;

  /** An open store over an empty database. */
  abstract Store open() throws Exception;

  @BeforeEach
  void openStore() throws Exception {
    store = open();
  }

  @AfterEach
  void closeStore() {
    store.close();
  }

  @Override
  public final Store store() {
    return store;
  }

  @Test
  void events_sameReport_isStoredOnce_andFoundByIdAndName() {
    create(node("n1", "web-1", "web", List.of()));
    EventRecord event = new EventRecord(0, 5, "session.tampered", "n1", "bad record", "manager");
    write(tx -> tx.events().add(event, "r1"));
    write(tx -> tx.events().add(event, "r1"));
    write(tx -> tx.events().add(event, ""));
    write(tx -> tx.events().add(event, ""));
    List<EventRecord> all = many(tx -> tx.events().list("", "", 0, 10));
    assertThat(all).hasSize(3);
    assertThat(all.get(0).id()).isGreaterThan(all.get(1).id());
    assertThat(many(tx -> tx.events().list("", "", all.get(1).id(), 10))).hasSize(1);
    assertThat(many(tx -> tx.events().list("other", "", 0, 10))).isEmpty();
    assertThat(many(tx -> tx.events().list("", "n1", 0, 10))).hasSize(3);
    assertThat(many(tx -> tx.events().list("", "web-1", 0, 10))).hasSize(3);
    assertThat(many(tx -> tx.events().list("", "web-2", 0, 10))).isEmpty();
  }

  @Test
  @Requirement("P1")
  void proxyCluster_created_isListedUntilDeleted() {
    ProxyCluster cluster = new ProxyCluster("dc1", "10.0.0.1", "first", 443, 8080, 9);
    write(tx -> tx.proxyClusters().create(cluster));
    assertThat(one(tx -> tx.proxyClusters().find("dc1"))).contains(cluster);
    assertThat(many(tx -> tx.proxyClusters().list())).containsExactly(cluster);
    write(tx -> tx.proxyClusters().delete("dc1"));
    assertThat(many(tx -> tx.proxyClusters().list())).isEmpty();
  }

  @Test
  @Requirement("R2")
  void relays_paired_areToldWithTheirKeysUntilCertified() {
    write(tx -> tx.relays().save(new RelayRecord("p", "parent", true, "", "", 1, 2, 4, 3)));
    write(tx -> tx.relays().save(new RelayRecord("c", "child", false, "a:1", "b", 1, 2, 4, 3)));
    write(tx -> tx.relays().pair("p", "c", new byte[] {7}));
    assertThat(many(tx -> tx.relays().pairsOfParent("p")).getFirst().pairingKey())
        .containsExactly(7);
    write(tx -> tx.relays().forgetPairingKey("c"));
    assertThat(many(tx -> tx.relays().pairs()).getFirst().pairingKey()).isEmpty();
    write(tx -> tx.relays().save(new RelayRecord("c", "child", false, "x:9", "b", 1, 2, 4, 3)));
    assertThat(one(tx -> tx.relays().named("child")).orElseThrow().dialAddress()).isEqualTo("x:9");
  }

  @Test
  void fleetValue_counter_startsAtOne() {
    assertThat(store.<Long>commit(tx -> tx.fleet().next("list"))).isEqualTo(1);
    assertThat(store.<Long>commit(tx -> tx.fleet().next("list"))).isEqualTo(2);
    write(tx -> tx.fleet().put("name", "x"));
    assertThat(one(tx -> tx.fleet().value("name"))).contains("x");
  }

  @Test
  void write_failingWork_changesNothingAndFailsAlone() {
    create(node("n1", "web-1", "web", List.of()));
    List<CompletableFuture<String>> works = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      int number = i;
      works.add(
          store.write(tx -> {
            tx.fleet().put("value" + number, "x");
            if (number % 5 == 0) {
              throw new IllegalStateException("refused " + number);
            }
            return "done";
          }));
    }
    for (int i = 0; i < 20; i++) {
      int number = i;
      if (i % 5 == 0) {
        assertThatThrownBy(() -> works.get(number).join()).hasMessageContaining("refused");
      } else {
        assertThat(works.get(i).join()).isEqualTo("done");
      }
      assertThat(one(tx -> tx.fleet().value("value" + number)).isPresent())
          .isEqualTo(number % 5 != 0);
    }
  }

  @Test
  @Requirement("P7")
  void logs_thatComeAgainOrOverlap_areStoredOnce() {
    assertThat(addLogs(7, 1, 3)).isEqualTo(3);
    assertThat(addLogs(7, 1, 3)).isZero();
    assertThat(addLogs(7, 6, 7)).isEqualTo(2);
    assertThat(addLogs(7, 2, 6)).isEqualTo(2);
    assertThat(addLogs(8, 1, 1)).isEqualTo(1);
    assertThat(logs("n1", 0, 0).stream().map(log -> log.epoch() + "/" + log.sequence()))
        .containsExactly("8/1", "7/5", "7/4", "7/7", "7/6", "7/3", "7/2", "7/1");
    assertThat(logs("n2", 0, 0)).isEmpty();
    long third = logs("n1", 0, 0).get(2).id();
    assertThat(logs("n1", third, 0)).hasSize(5);
    assertThat(logs("n1", 0, third).getFirst().id()).isGreaterThan(third);
    int removed = store.commit(tx -> tx.logs().prune(0, 2, 3));
    assertThat(removed).isEqualTo(3);
    assertThat(logs("n1", 0, 0)).hasSize(5);
    // Gone, but known.
    assertThat(addLogs(7, 1, 3)).isZero();
  }

  private int addLogs(long epoch, int first, int last) {
    LogBatch.Builder batch = LogBatch.newBuilder().setEpoch(epoch).setFirstSequence(first);
    for (int i = first; i <= last; i++) {
      batch.addRecords(LogRecord.newBuilder().setLevel("WARN").setMessage("line " + i));
    }
    return store.commit(tx -> tx.logs().add("n1", batch.build(), 1_000));
  }

  private List<StoredLog> logs(String node, long before, long after) {
    return store.read(
        tx -> tx.logs().list(new LogQuery(node, LogLevel.WARN, "", 0, false, before, after, 100)));
  }
}
