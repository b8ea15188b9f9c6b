package dev.towline.manager.firewall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.ControlFirewall.Order;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.runtime.error.TowlineException;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FirewallOrdersTest {
  private static final String RULES =
      "rules: [{name: web, action: allow, direction: incoming, protocol: tcp,"
          + " destination-port: 443}]";

  @TempDir private Path directory;

  private ManagerFixture fixture;
  private FirewallOrders orders;

  @BeforeEach
  void start() throws Exception {
    fixture = new ManagerFixture(directory);
    var services = fixture.services();
    orders = new FirewallOrders(services.hosts(), services.actions());
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
  }

  private static ControlFirewall set(String rules) {
    return ControlFirewall.newBuilder().setOrder(Order.SET).setRules(rules).build();
  }

  @Test
  @Requirement({"F3", "F6"})
  void set_goodRules_reachTheHostAsSignedDirective() throws Exception {
    var session = fixture.host("web-1").connect();

    var action = orders.tell("web-1", set(RULES), "test");

    assertThat(action.getTitle()).isEqualTo("firewall set on web-1");
    var taken = session.takeDirective();
    assertThat(DirectiveContent.parseFrom(taken.signed().getContent()).getControlFirewall())
        .isEqualTo(set(RULES));
    session.accept(taken.directive());
    session.result(taken.directive(), Outcome.OUTCOME_FAILED, "", "rolled back: no way");
  }

  @Test
  @Requirement("F6")
  void rollBack_reportedTwice_raisesOneAlertOnce() {
    var session = fixture.host("web-1").connect();
    var report =
        AgentFrame.newBuilder()
            .setSecurityEvent(
                SecurityEvent.newBuilder()
                    .setId("e-1")
                    .setCode("firewall.rolled_back")
                    .setDetail("no new connection"))
            .build();

    session.send(report);
    session.take(ManagerFrame::hasAck);
    session.send(report);
    session.take(ManagerFrame::hasAck);

    assertThat(fixture.services().alerts().list(false, false, "", 0, 10))
        .singleElement()
        .satisfies(alert -> {
          assertThat(alert.kind()).isEqualTo(AlertKind.FIREWALL_ROLLED_BACK);
          assertThat(alert.name()).isEqualTo("web-1");
          assertThat(alert.message()).isEqualTo("no new connection");
          assertThat(alert.times()).isEqualTo(1);
        });
  }

  @Test
  @Requirement("F3")
  void set_rulesThatNoHookCanDo_areRefusedWhileTheyAreEdited() throws Exception {
    fixture.host("web-1").connect();

    assertThatThrownBy(() ->
            orders.tell(
                "web-1",
                set(
                    "rules: [{name: a, action: deny, direction: outgoing, destination-mac:"
                        + " '02:00:00:00:00:01'}]"),
                "test"))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("a MAC address can't be seen on outgoing packets");
  }
}
