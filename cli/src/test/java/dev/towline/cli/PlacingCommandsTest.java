package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import dev.towline.cli.error.ExitCodes;
import dev.towline.proto.v1.CreateGroupRequest;
import dev.towline.proto.v1.DeleteGroupRequest;
import dev.towline.proto.v1.DeleteGroupResponse;
import dev.towline.proto.v1.GetProxyUpgradeRequest;
import dev.towline.proto.v1.Group;
import dev.towline.proto.v1.GroupServiceGrpc;
import dev.towline.proto.v1.ListGroupsRequest;
import dev.towline.proto.v1.ListGroupsResponse;
import dev.towline.proto.v1.ProxyClusterServiceGrpc;
import dev.towline.proto.v1.ProxyUpgrade;
import dev.towline.proto.v1.ProxyUpgradeRoll;
import dev.towline.proto.v1.RenameGroupRequest;
import dev.towline.proto.v1.UpdateHostsRequest;
import dev.towline.proto.v1.UpgradeProxiesRequest;
import dev.towline.testing.Requirement;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where hosts belong, and upgrades of proxies: what is said to the manager and to people. */
final class PlacingCommandsTest {
  @TempDir private Path directory;
  private TestCli towline;
  private final List<Message> received = new ArrayList<>();
  private final List<ProxyUpgradeRoll> steps = new ArrayList<>();

  @BeforeEach
  void signIn() throws IOException {
    towline = TestCli.signedIn(directory, new Groups(), new Proxies());
  }

  @AfterEach
  void stop() {
    towline.close();
  }

  @Test
  @Requirement("P11")
  void groups_areCreatedListedRenamedDeleted() {
    assertThat(towline.run("groups", "create", "web", "--description", "front ends")).isZero();
    assertThat(towline.run("groups", "list")).isZero();
    assertThat(towline.run("groups", "rename", "web", "edge")).isZero();
    assertThat(towline.run("groups", "delete", "edge")).isZero();

    assertThat(towline.output())
        .isEqualTo(
            """
            Group web is created.
            NAME  HOSTS  ONLINE  CREATED  DESCRIPTION
            web   3      2       5s ago   front ends
            Group web is called edge now, with 3 hosts.
            Group edge is deleted.
            """);
    assertThat(received)
        .containsExactly(
            CreateGroupRequest.newBuilder().setName("web").setDescription("front ends").build(),
            ListGroupsRequest.getDefaultInstance(),
            RenameGroupRequest.newBuilder().setGroup("web").setNewName("edge").build(),
            DeleteGroupRequest.newBuilder().setGroup("edge").build());
  }

  @Test
  @Requirement("P11")
  void hosts_areMovedAndPlaced_andASelectorWithoutHostsFails() {
    assertThat(towline.run("hosts", "move", "region=eu", "--group", "web")).isZero();
    assertThat(towline.run("hosts", "region", "group=web", "eu")).isZero();
    assertThat(towline.run("hosts", "provider", "group=web", "acme")).isZero();
    assertThat(towline.run("hosts", "tag", "group=web", "--add", "pci", "--remove", "trial"))
        .isZero();
    assertThat(towline.run("hosts", "move", "name=nobody", "--group", "web"))
        .isEqualTo(ExitCodes.FAILED);

    assertThat(towline.output()).isEqualTo("Changed 2 hosts.\n".repeat(4));
    assertThat(towline.errors()).contains("No host matches name=nobody.");
    assertThat(towline.manager.received)
        .contains(
            UpdateHostsRequest.newBuilder().setSelector("region=eu").setGroup("web").build(),
            UpdateHostsRequest.newBuilder().setSelector("group=web").setRegion("eu").build(),
            UpdateHostsRequest.newBuilder()
                .setSelector("group=web")
                .setServiceProvider("acme")
                .build(),
            UpdateHostsRequest.newBuilder()
                .setSelector("group=web")
                .addAddTags("pci")
                .addRemoveTags("trial")
                .build());
  }

  @Test
  @Requirement("P13")
  void upgrade_saysEachStep_andFailsWhenAProxyWentBack() {
    steps.add(roll(ProxyUpgrade.State.DRAINING, "", ProxyUpgrade.State.WAITING, ""));
    steps.add(
        roll(
            ProxyUpgrade.State.FAILED,
            "versions/1.0 runs again",
            ProxyUpgrade.State.NOT_TRIED,
            "stopped"));

    assertThat(towline.run("proxies", "upgrade", "dc1")).isEqualTo(ExitCodes.FAILED);

    assertThat(towline.output())
        .isEqualTo(
            """
            Proxy p1 1.0 > 2.0: draining
            Proxy p2 1.0 > 2.0: waiting
            Proxy p1 1.0 > 2.0: failed: versions/1.0 runs again
            Proxy p2 1.0 > 2.0: not-tried: stopped
            """);
    towline.forget();
    steps.add(roll(ProxyUpgrade.State.SUCCEEDED, "", ProxyUpgrade.State.SUCCEEDED, ""));
    assertThat(towline.run("proxies", "upgrades", "dc1")).isZero();
    assertThat(towline.output())
        .isEqualTo(
            """
            PROXY  FROM  TO   STATE      SINCE   DETAIL
            p1     1.0   2.0  succeeded  7s ago  -
            p2     1.0   2.0  succeeded  7s ago  -
            """);
  }

  private static ProxyUpgradeRoll roll(
      ProxyUpgrade.State one, String oneDetail, ProxyUpgrade.State two, String twoDetail) {
    return ProxyUpgradeRoll.newBuilder()
        .setCluster("dc1")
        .addProxies(upgrade("p1", one, oneDetail))
        .addProxies(upgrade("p2", two, twoDetail))
        .setEnded(one != ProxyUpgrade.State.DRAINING)
        .build();
  }

  private static ProxyUpgrade upgrade(String name, ProxyUpgrade.State state, String detail) {
    return ProxyUpgrade.newBuilder()
        .setProxy("id-of-" + name)
        .setName(name)
        .setFromVersion("1.0")
        .setToVersion("2.0")
        .setState(state)
        .setDetail(detail)
        .setChangedMs(TestCli.NOW - 7_000)
        .build();
  }

  private <T extends Message> void answer(Message request, T answer, StreamObserver<T> to) {
    received.add(request);
    to.onNext(answer);
    to.onCompleted();
  }

  private static Group group(String name) {
    return Group.newBuilder()
        .setName(name)
        .setDescription("front ends")
        .setHosts(3)
        .setOnline(2)
        .setCreatedMs(TestCli.NOW - 5_000)
        .build();
  }

  private final class Groups extends GroupServiceGrpc.GroupServiceImplBase {
    @Override
    public void createGroup(CreateGroupRequest request, StreamObserver<Group> to) {
      answer(request, group(request.getName()), to);
    }

    @Override
    public void listGroups(ListGroupsRequest request, StreamObserver<ListGroupsResponse> to) {
      answer(request, ListGroupsResponse.newBuilder().addGroups(group("web")).build(), to);
    }

    @Override
    public void renameGroup(RenameGroupRequest request, StreamObserver<Group> to) {
      answer(request, group(request.getNewName()), to);
    }

    @Override
    public void deleteGroup(DeleteGroupRequest request, StreamObserver<DeleteGroupResponse> to) {
      answer(request, DeleteGroupResponse.getDefaultInstance(), to);
    }
  }

  private final class Proxies extends ProxyClusterServiceGrpc.ProxyClusterServiceImplBase {
    @Override
    public void upgradeProxies(UpgradeProxiesRequest request, StreamObserver<ProxyUpgradeRoll> to) {
      answer(request, steps.removeFirst(), to);
    }

    @Override
    public void getProxyUpgrade(
        GetProxyUpgradeRequest request, StreamObserver<ProxyUpgradeRoll> to) {
      answer(request, steps.removeFirst(), to);
    }
  }
}
