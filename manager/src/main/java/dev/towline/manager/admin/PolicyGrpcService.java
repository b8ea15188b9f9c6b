package dev.towline.manager.admin;

import dev.towline.manager.nodes.Hosts;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.policies.Catalogue;
import dev.towline.manager.policies.Level;
import dev.towline.manager.policies.Policies;
import dev.towline.manager.policies.PolicyTree.Effective;
import dev.towline.manager.policies.Setting;
import dev.towline.manager.proxies.ClientMoves;
import dev.towline.proto.v1.AssignPolicyRequest;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.CreatePolicyRequest;
import dev.towline.proto.v1.DeletePolicyRequest;
import dev.towline.proto.v1.DeletePolicyResponse;
import dev.towline.proto.v1.EffectiveSetting;
import dev.towline.proto.v1.GetHostPolicyRequest;
import dev.towline.proto.v1.GetPolicyDocumentRequest;
import dev.towline.proto.v1.GetPolicyHistoryRequest;
import dev.towline.proto.v1.GetPolicyRequest;
import dev.towline.proto.v1.HostPolicy;
import dev.towline.proto.v1.ListPoliciesRequest;
import dev.towline.proto.v1.ListPoliciesResponse;
import dev.towline.proto.v1.ListSettingsRequest;
import dev.towline.proto.v1.ListSettingsResponse;
import dev.towline.proto.v1.Policy;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.PolicyDocument;
import dev.towline.proto.v1.PolicyHistory;
import dev.towline.proto.v1.PolicyServiceGrpc;
import dev.towline.proto.v1.PolicyVersion;
import dev.towline.proto.v1.RevertPolicyRequest;
import dev.towline.proto.v1.SettingInfo;
import dev.towline.runtime.error.TowlineException;
import io.grpc.stub.StreamObserver;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

final class PolicyGrpcService extends PolicyServiceGrpc.PolicyServiceImplBase {
  private final Policies policies;
  private final Hosts hosts;

  PolicyGrpcService(Policies policies, Hosts hosts) {
    this.policies = policies;
    this.hosts = hosts;
  }

  @Override
  public void listSettings(ListSettingsRequest request, StreamObserver<ListSettingsResponse> out) {
    var response = ListSettingsResponse.newBuilder();
    policies
        .catalogue()
        .settings()
        .forEach(setting ->
            response.addSettings(
                SettingInfo.newBuilder()
                    .setName(setting.name())
                    .setType(setting.type().label())
                    .setUnit(setting.type().unit())
                    .setDefaultValue(setting.standard())
                    .setAllowed(setting.type().allowed())
                    .setDescription(setting.description())
                    .setOnHost(setting.onHost())));
    Replies.reply(out, response.build());
  }

  @Override
  public void listPolicies(ListPoliciesRequest request, StreamObserver<ListPoliciesResponse> out) {
    Map<String, Integer> counts = policies.hostCounts();
    Replies.reply(
        out,
        ListPoliciesResponse.newBuilder()
            .addAllPolicies(
                policies.tree().policies().stream()
                    .map(level -> policy(level, counts).build())
                    .toList())
            .build());
  }

  @Override
  public void getPolicy(GetPolicyRequest request, StreamObserver<Policy> out) {
    Level level = policies.policy(request.getPolicy());
    Policy.Builder policy = policy(level, policies.hostCounts());
    policies
        .tree()
        .effective("", level.name())
        .forEach(effective -> policy.addEffective(effective(effective)));
    Replies.reply(out, policy.build());
  }

  @Override
  public void createPolicy(CreatePolicyRequest request, StreamObserver<Policy> out) {
    Level created =
        policies.create(author(), request.getName(), request.getParent(), request.getDescription());
    Replies.reply(out, policy(created, Map.of()).build());
  }

  @Override
  public void deletePolicy(DeletePolicyRequest request, StreamObserver<DeletePolicyResponse> out) {
    policies.delete(author(), request.getPolicy());
    Replies.reply(out, DeletePolicyResponse.getDefaultInstance());
  }

  @Override
  public void changeSettings(ChangeSettingsRequest request, StreamObserver<PolicyChange> out) {
    Map<String, String> changes = new TreeMap<>(request.getSetMap());
    request.getClearList().forEach(name -> changes.put(name, Catalogue.INHERITED));
    if (changes.isEmpty()) {
      throw invalid("change: nothing (expected: a setting to set or to clear)");
    }
    Replies.reply(
        out,
        isHost(request.getPolicy(), request.getHost())
            ? policies.setHost(author(), hosts.host(request.getHost()), changes)
            : policies.setPolicy(author(), request.getPolicy(), changes));
  }

  @Override
  public void assignPolicy(AssignPolicyRequest request, StreamObserver<PolicyChange> out) {
    if (request.getSelector().isBlank()) {
      throw new TowlineException(
          ClientMoves.SELECTOR_MISSING,
          "selector: empty (expected: a selector, or all)",
          "say which hosts are to have the policy, for instance group=web");
    }
    Replies.reply(
        out, policies.assign(author(), Selector.parse(request.getSelector()), request.getPolicy()));
  }

  @Override
  public void getPolicyHistory(GetPolicyHistoryRequest request, StreamObserver<PolicyHistory> out) {
    boolean host = isHost(request.getPolicy(), request.getHost());
    String name = host ? hosts.host(request.getHost()).id() : request.getPolicy();
    Replies.reply(
        out,
        PolicyHistory.newBuilder()
            .addAllVersions(
                policies.history(kind(host), name).stream()
                    .map(PolicyGrpcService::version)
                    .toList())
            .build());
  }

  @Override
  public void revertPolicy(RevertPolicyRequest request, StreamObserver<PolicyChange> out) {
    boolean host = isHost(request.getPolicy(), request.getHost());
    String name = host ? hosts.host(request.getHost()).id() : request.getPolicy();
    Replies.reply(out, policies.revert(author(), kind(host), name, request.getVersion()));
  }

  @Override
  public void getHostPolicy(GetHostPolicyRequest request, StreamObserver<HostPolicy> out) {
    Node node = hosts.host(request.getHost());
    Policies.Explained explained = policies.explain(node);
    boolean unknown =
        !explained.host().policy().isEmpty()
            && !explained.host().policy().equals(explained.policy());
    Replies.reply(
        out,
        HostPolicy.newBuilder()
            .setHostId(node.id())
            .setHostName(node.name())
            .setPolicy(explained.policy())
            .addAllSettings(
                explained.settings().stream().map(PolicyGrpcService::effective).toList())
            .setFingerprint(hex(explained.fingerprint().toByteArray()))
            .setReportedFingerprint(hex(explained.host().reported().toByteArray()))
            .setUpToDate(explained.fingerprint().equals(explained.host().reported()))
            .setNote(
                unknown
                    ? "policy %s does not exist: %s counts"
                        .formatted(explained.host().policy(), explained.policy())
                    : "")
            .build());
  }

  @Override
  public void getPolicyDocument(
      GetPolicyDocumentRequest request, StreamObserver<PolicyDocument> out) {
    Replies.reply(out, PolicyDocument.newBuilder().setYaml(policies.document()).build());
  }

  @Override
  public void applyPolicies(PolicyDocument request, StreamObserver<PolicyChange> out) {
    Replies.reply(out, policies.apply(author(), request.getYaml(), false));
  }

  @Override
  public void getPolicyDiff(PolicyDocument request, StreamObserver<PolicyChange> out) {
    Replies.reply(out, policies.apply(author(), request.getYaml(), true));
  }

  private static boolean isHost(String policy, String host) {
    if (policy.isEmpty() == host.isEmpty()) {
      throw invalid("level: %s (expected: a policy or a host)".formatted((policy + host).strip()));
    }
    return !host.isEmpty();
  }

  private static Level.Kind kind(boolean host) {
    return host ? Level.Kind.HOST : Level.Kind.POLICY;
  }

  private static Policy.Builder policy(Level level, Map<String, Integer> counts) {
    return Policy.newBuilder()
        .setName(level.name())
        .setParent(level.parent())
        .setDescription(level.description())
        .putAllSettings(shown(level.settings()))
        .setVersion(level.version())
        .setChangedMs(level.changedMs())
        .setAuthor(level.author())
        .setHosts(counts.getOrDefault(level.name(), 0));
  }

  private static EffectiveSetting effective(Effective effective) {
    return EffectiveSetting.newBuilder()
        .setName(effective.setting().name())
        .setValue(Setting.shown(effective.setting().name(), effective.value()))
        .setLevel(effective.level())
        .build();
  }

  private static PolicyVersion version(Level level) {
    return PolicyVersion.newBuilder()
        .setVersion(level.version())
        .setChangedMs(level.changedMs())
        .setAuthor(level.author())
        .setChange(level.change())
        .putAllSettings(shown(level.settings()))
        .setParent(level.parent())
        .setDescription(level.description())
        .build();
  }

  private static Map<String, String> shown(Map<String, String> settings) {
    Map<String, String> shown = new TreeMap<>(settings);
    shown.replaceAll(Setting::shown);
    return shown;
  }

  private static String author() {
    return AccessInterceptor.principal().user();
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  private static TowlineException invalid(String message) {
    return new TowlineException(Catalogue.SETTING_INVALID, message, "see towline policies --help");
  }
}
