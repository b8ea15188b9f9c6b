package dev.towline.manager.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.enrollment.EnrollmentToken;
import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.fleet.TrustStore;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.NodeQuery;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.session.SessionStore.Opening;
import dev.towline.manager.session.SessionStore.Seen;
import dev.towline.proto.v1.Path;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.testing.Requirement;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What every store does with nodes, their certificates, tokens and sessions. */
interface NodeStoreContract extends StoreAccess {
  @Test
  default void node_created_isFoundAsItWas() {
    Node node = node("n1", "web-1", "web", List.of("blue", "a_b"));
    create(node);
    assertThat(one(tx -> tx.nodes().find("n1"))).contains(node);
    assertThat(one(tx -> tx.nodes().find("n2"))).isEmpty();
    assertThat(many(tx -> tx.nodes().named(Role.AGENT, "web-1"))).containsExactly(node);
    assertThat(many(tx -> tx.nodes().named(Role.PROXY, "web-1"))).isEmpty();
    assertThat(one(tx -> tx.nodes().enrolledWith("t1", "machine-n1"))).contains(node);
  }

  @Test
  default void nodes_selector_findsOnlyThose() {
    create(node("n1", "web-1", "web", List.of("blue")));
    create(node("n2", "web-2", "web", List.of("blue-green")));
    create(node("n3", "db-1", "db", List.of("a_b")));
    assertThat(ids("group=web")).containsExactly("n1", "n2");
    assertThat(ids("tag=blue")).containsExactly("n1");
    assertThat(ids("tag=axb")).isEmpty();
    assertThat(ids("tag=a_b")).containsExactly("n3");
    assertThat(ids("db-1")).containsExactly("n3");
    assertThat(ids("n2")).containsExactly("n2");
    assertThat(ids("state=enrolled,group=db")).containsExactly("n3");
    assertThat(ids("state=online")).isEmpty();
    assertThat(ids("all")).containsExactly("n3", "n1", "n2");
    assertThat(number(tx -> tx.nodes().count(Role.AGENT, Selector.parse("group=web"))))
        .isEqualTo(2);
  }

  @Test
  default void nodes_pages_giveEachOnce() {
    IntStream.range(0, 5).forEach(i -> create(node("n" + i, "same", "web", List.of())));
    List<String> seen = new ArrayList<>();
    Node last = null;
    do {
      Node after = last;
      List<Node> page =
          many(tx ->
              tx.nodes()
                  .list(
                      new NodeQuery(
                          Role.AGENT,
                          Selector.ALL,
                          after == null ? "" : after.name(),
                          after == null ? "" : after.id(),
                          2)));
      page.forEach(node -> seen.add(node.id()));
      last = page.isEmpty() ? null : page.getLast();
    } while (last != null);
    assertThat(seen).containsExactly("n0", "n1", "n2", "n3", "n4");
  }

  @Test
  default void certificates_added_areKeptNewestFirst() {
    create(node("n1", "web-1", "web", List.of()));
    Clock clock = Clock.systemUTC();
    CertificateAuthority issuing =
        CertificateAuthority.newRoot("fleet", clock, new SecureRandom()).newIssuing();
    X509Certificate first = leaf(issuing);
    X509Certificate second = leaf(issuing);
    write(tx -> tx.nodes().addCertificate("n1", first, 1));
    write(tx -> tx.nodes().addCertificate("n1", second, 2));
    assertThat(many(tx -> tx.nodes().certificates("n1"))).containsExactly(second, first);
    assertThat(one(tx -> tx.nodes().find("n1")).orElseThrow().certificateExpiresMs())
        .isEqualTo(second.getNotAfter().getTime());
  }

  @Test
  @Requirement("T3")
  default void trust_reported_isThatOfMembersOnly() {
    create(node("n1", "web-1", "web", List.of()));
    create(node("n2", "web-2", "web", List.of()));
    create(node("n3", "web-3", "web", List.of()));
    write(tx -> tx.nodes().revoke("n3", 5, "gone"));
    write(tx -> tx.trust().trusts("n1", List.of("aa", "bb"), 1));
    write(tx -> tx.trust().presented("n1", List.of("aa"), "cc", 2));
    write(tx -> tx.trust().trusts("n1", List.of("bb"), 3));
    write(tx -> tx.trust().trusts("nobody", List.of("bb"), 3));

    assertThat(many(tx -> tx.trust().members()))
        .containsExactly(
            new TrustStore.MemberTrust("n1", Role.AGENT, "web-1", 0, List.of("bb"), "cc"),
            new TrustStore.MemberTrust("n2", Role.AGENT, "web-2", 0, List.of(), ""));
  }

  @Test
  @Requirement("T3")
  default void revokedCertificates_thatHaveEnded_areNotListed() {
    var one = new TrustStore.RevokedCertificate("01", "spiffe://f/agent/n1", 1, 100, "again");
    var two = new TrustStore.RevokedCertificate("02", "spiffe://f/agent/n1", 1, 200, "again");
    write(tx -> tx.trust().revokeCertificate(one));
    write(tx -> tx.trust().revokeCertificate(two));
    write(tx -> tx.trust().revokeCertificate(two));

    assertThat(many(tx -> tx.trust().revokedCertificates(100))).containsExactly(one, two);
    assertThat(many(tx -> tx.trust().revokedCertificates(101))).containsExactly(two);
  }

  @Test
  default void revoke_node_keepsTheFirstTime() {
    create(node("n1", "web-1", "web", List.of()));
    write(tx -> tx.nodes().revoke("n1", 5, "stolen"));
    write(tx -> tx.nodes().revoke("n1", 9, "again"));
    assertThat(many(tx -> tx.nodes().revoked()))
        .singleElement()
        .satisfies(revoked -> {
          assertThat(revoked.revokedMs()).isEqualTo(5);
          assertThat(revoked.reason()).isEqualTo("stolen");
        });
  }

  @Test
  @Requirement("I2")
  default void token_uses_areCountedUpToTheLimit() {
    EnrollmentToken token = token("t1", 2, 1000);
    write(tx -> tx.tokens().create(token, new byte[] {1, 2}));
    assertThat(one(tx -> tx.tokens().find("t1"))).contains(token);
    assertThat(one(tx -> tx.tokens().secret("t1")).orElseThrow()).containsExactly(1, 2);
    assertThat(store().<Boolean>commit(tx -> tx.tokens().use("t1", 10))).isTrue();
    assertThat(store().<Boolean>commit(tx -> tx.tokens().use("t1", 10))).isTrue();
    assertThat(store().<Boolean>commit(tx -> tx.tokens().use("t1", 10))).isFalse();
    write(tx -> tx.tokens().refused("t1", "TOKEN_USED_UP"));
    EnrollmentToken after = one(tx -> tx.tokens().find("t1")).orElseThrow();
    assertThat(after.uses()).isEqualTo(2);
    assertThat(after.lastUsedMs()).isEqualTo(10);
    assertThat(after.refusals()).isEqualTo(1);
    assertThat(after.lastRefusal()).isEqualTo("TOKEN_USED_UP");
  }

  @Test
  @Requirement("I2")
  default void token_expiredOrRevoked_isNotUsed() {
    write(tx -> tx.tokens().create(token("t1", 0, 1000), new byte[] {1}));
    assertThat(store().<Boolean>commit(tx -> tx.tokens().use("t1", 1000))).isFalse();
    write(tx -> tx.tokens().revoke("t1", 5));
    assertThat(store().<Boolean>commit(tx -> tx.tokens().use("t1", 10))).isFalse();
  }

  @Test
  default void session_generations_fenceOlderWriters() {
    create(node("n1", "web-1", "web", List.of()));
    assertThat(store().<Long>commit(tx -> tx.sessions().open(opening("n1", 0)))).isEqualTo(1);
    assertThat(store().<Long>commit(tx -> tx.sessions().open(opening("n1", 0)))).isEqualTo(2);
    assertThat(store().<Boolean>commit(tx -> tx.sessions().end("n1", 1, Presence.OFFLINE, 50)))
        .isFalse();
    assertThat(store().<Boolean>commit(tx -> tx.sessions().confirm("n1", 1))).isFalse();
    assertThat(store().<Boolean>commit(tx -> tx.sessions().confirm("n1", 2))).isTrue();
    assertThat(is(tx -> tx.sessions().isCurrent("n1", 1))).isFalse();
    write(tx -> tx.sessions().seen(List.of(new Seen("n1", 1, 99), new Seen("n1", 2, 77))));
    Node node = one(tx -> tx.nodes().find("n1")).orElseThrow();
    assertThat(node.lastSeenMs()).isEqualTo(77);
    assertThat(node.presence()).isEqualTo(Presence.ONLINE);
    assertThat(one(tx -> tx.sessions().find("n1")).orElseThrow().confirmedGeneration())
        .isEqualTo(2);
    assertThat(store().<List<String>>commit(tx -> tx.sessions().endSilent("m1", 77))).isEmpty();
    assertThat(store().<List<String>>commit(tx -> tx.sessions().endSilent("m1", 78)))
        .containsExactly("n1");
  }

  default List<String> ids(String selector) {
    return store()
        .read(tx -> tx.nodes().list(NodeQuery.all(Role.AGENT, Selector.parse(selector))))
        .stream()
        .map(Node::id)
        .toList();
  }

  static Opening opening(String node, long confirmed) {
    return new Opening(
        node, "m1", "b1", 1, 0, confirmed, Path.getDefaultInstance(), "TLSv1.3", "suite", 40);
  }

  static X509Certificate leaf(CertificateAuthority issuing) {
    return issuing.issueLeaf(
        new NodeIdentity("fleet", Role.AGENT, "n1"),
        Keys.newP256(new SecureRandom()).getPublic(),
        Duration.ofDays(1));
  }

  static EnrollmentToken token(String id, int maxUses, long expiresMs) {
    return new EnrollmentToken(
        id,
        Role.AGENT,
        "linux",
        "",
        "",
        "web",
        "eu",
        "",
        List.of("a", "b"),
        "",
        "",
        true,
        1,
        "admin",
        expiresMs,
        maxUses,
        0,
        0,
        0,
        0,
        "",
        "strict",
        SourceNetworks.of(List.of("10.0.0.0/8", "fd00::/8")));
  }
}
