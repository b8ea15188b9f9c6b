package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.session.DialOrder.Target;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.Requirement;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

@Requirement("P2")
final class DialOrderTest {
  private static final ServerAddress CLUSTER = new ServerAddress("proxy.example", 443);
  private static final ServerAddress OTHER = new ServerAddress("other.example", 443);
  private static final ServerAddress ONE = new ServerAddress("10.0.0.1", 443);
  private static final ServerAddress TWO = new ServerAddress("10.0.0.2", 443);
  private static final ServerAddress THREE = new ServerAddress("10.0.0.3", 443);
  private static final ServerAddress FOUR = new ServerAddress("10.0.0.4", 443);
  private static final Map<ServerAddress, List<ServerAddress>> ADDRESSES =
      Map.of(CLUSTER, List.of(ONE, TWO, THREE), OTHER, List.of(FOUR));

  @Test
  void manyClients_spreadEvenlyOverTheAddressesOfAName() {
    var random = new Random(7);
    Map<ServerAddress, Integer> first = new HashMap<>();
    for (int i = 0; i < 3000; i++) {
      Target target = DialOrder.of(List.of(CLUSTER), ADDRESSES, null, null, random).getFirst();
      first.merge(target.dialled(), 1, Integer::sum);
    }
    assertThat(first.values()).hasSize(3).allMatch(count -> count > 900 && count < 1100);
  }

  @Test
  void lostAddress_comesLastOfItsName_andItsNameFirst() {
    var random = new Random(7);
    for (int i = 0; i < 50; i++) {
      List<Target> targets = DialOrder.of(List.of(OTHER, CLUSTER), ADDRESSES, CLUSTER, TWO, random);
      assertThat(targets.subList(0, 2))
          .extracting(Target::dialled)
          .containsExactlyInAnyOrder(ONE, THREE);
      assertThat(targets.get(2).dialled()).isEqualTo(TWO);
      assertThat(targets.get(3)).isEqualTo(new Target(OTHER, FOUR));
    }
  }

  @Test
  void nameThatLeadsNowhere_isLeftOut() {
    assertThat(
            DialOrder.of(
                List.of(CLUSTER, OTHER), Map.of(OTHER, List.of(FOUR)), null, null, new Random(1)))
        .containsExactly(new Target(OTHER, FOUR));
  }
}
