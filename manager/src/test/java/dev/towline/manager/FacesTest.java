package dev.towline.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ActionServiceGrpc;
import dev.towline.proto.v1.AuthServiceGrpc;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.CreateProxyClusterRequest;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.EventServiceGrpc;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.GetPolicyDocumentRequest;
import dev.towline.proto.v1.GetPolicyHistoryRequest;
import dev.towline.proto.v1.GetPolicyRequest;
import dev.towline.proto.v1.HostServiceGrpc;
import dev.towline.proto.v1.InstallCommandServiceGrpc;
import dev.towline.proto.v1.ListEventsRequest;
import dev.towline.proto.v1.ListHostsRequest;
import dev.towline.proto.v1.ListUploadsRequest;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.PolicyDocument;
import dev.towline.proto.v1.PolicyServiceGrpc;
import dev.towline.proto.v1.ProxyClusterServiceGrpc;
import dev.towline.proto.v1.PublishReleaseRequest;
import dev.towline.proto.v1.Release;
import dev.towline.proto.v1.RevokeInstallCommandRequest;
import dev.towline.proto.v1.SignInRequest;
import dev.towline.proto.v1.UpdateServiceGrpc;
import dev.towline.proto.v1.UploadFile;
import dev.towline.proto.v1.UploadPartRequest;
import dev.towline.proto.v1.UploadPartResponse;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Await;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A whole manager, asked through the ports of people and hosts. */
final class FacesTest {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final String PASSWORD = "correct horse battery staple";
  private static final String PACKAGE = "towline-agent-0.1.0-linux-x86_64.tar.gz";

  @TempDir private static Path directory;
  private static Manager manager;
  private static ManagedChannel channel;
  private static Channel admin;
  private static HttpClient http;
  private static String token;
  private static String console;
  private static String site;

  @BeforeAll
  static void start() throws Exception {
    Path packages = Files.createDirectory(directory.resolve("packages"));
    Files.writeString(packages.resolve(PACKAGE), "0123456789");
    Files.writeString(packages.resolve("secret.txt"), "not a package");
    Path password = Files.writeString(directory.resolve("password"), PASSWORD + "\n");
    var config =
        new ManagerConfig(
            directory.resolve("data"),
            "127.0.0.1",
            FreePorts.next(),
            FreePorts.next(),
            FreePorts.next(),
            FreePorts.next(),
            List.of("127.0.0.1"),
            Optional.of(packages),
            Optional.of(password),
            Duration.ofSeconds(60),
            Optional.empty(),
            TlsProfile.MODERN);
    manager = Manager.start(config, Clock.systemUTC(), new SecureRandom());
    console = "https://127.0.0.1:" + config.consolePort();
    site = "http://127.0.0.1:" + config.updatesPort();
    var root = manager.services().fleet().roots().getFirst();
    channel =
        NettyChannelBuilder.forAddress("127.0.0.1", config.consolePort())
            .sslContext(GrpcSslContexts.forClient().trustManager(root).build())
            .build();
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("root", root);
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(null, trust.getTrustManagers(), null);
    http = HttpClient.newBuilder().sslContext(tls).build();
    token =
        AuthServiceGrpc.newBlockingStub(channel)
            .signIn(SignInRequest.newBuilder().setUser("admin").setPassword(PASSWORD).build())
            .getToken();
    var headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    admin =
        ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  @AfterAll
  static void stop() {
    channel.shutdownNow();
    http.close();
    manager.close();
  }

  @Test
  @Requirement("G4")
  void grpc_withoutToken_isRefusedWithRemedy() {
    assertThatThrownBy(() ->
            HostServiceGrpc.newBlockingStub(channel)
                .listHosts(ListHostsRequest.getDefaultInstance()))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> {
              assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
              assertThat(StatusProto.fromThrowable(e).getDetailsList()).hasSize(1);
            });
  }

  @Test
  @Requirement("G4")
  void grpc_write_isDoneAndAudited() {
    ProxyClusterServiceGrpc.newBlockingStub(admin)
        .createProxyCluster(
            CreateProxyClusterRequest.newBuilder().setName("dc1").setAddress("10.0.0.5").build());

    Await.until(
        "the audit event",
        BOUND,
        () ->
            EventServiceGrpc.newBlockingStub(admin)
                .listEvents(
                    ListEventsRequest.newBuilder().setCode("audit.create_proxy_cluster").build())
                .getEventsList()
                .stream()
                .anyMatch(event ->
                    event.getReporter().equals("admin") && event.getDetail().contains("dc1")));
  }

  @Test
  void grpc_streamThatFails_endsWithItsStatus() {
    assertThatThrownBy(() ->
            ActionServiceGrpc.newBlockingStub(admin)
                .watchAction(GetActionRequest.newBuilder().setAction("none").build())
                .hasNext())
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND));
  }

  @Test
  @Requirement("G4")
  void rest_sameRulesAsGrpc_hold() throws Exception {
    assertThat(get(console + "/api/v1/hosts").statusCode()).isEqualTo(401);
    HttpResponse<String> hosts =
        get(console + "/api/v1/hosts?page_size=5", "Authorization", "Bearer " + token);
    assertThat(hosts.statusCode()).isEqualTo(200);
    assertThat(hosts.body()).contains("\"hosts\": []", "\"total\": 0");
    HttpResponse<String> unknown =
        get(console + "/api/v1/hosts/nobody", "Authorization", "Bearer " + token);
    assertThat(unknown.statusCode()).isEqualTo(404);
    assertThat(unknown.body()).contains("HOST_NOT_FOUND", "remedy");
    assertThat(
            get(console + "/api/v1/hosts?bogus=1", "Authorization", "Bearer " + token).statusCode())
        .isEqualTo(400);
    assertThat(get(console + "/api/v1/nothing").statusCode()).isEqualTo(404);
  }

  @Test
  void rest_unknownFieldInBody_isRefused() throws Exception {
    HttpResponse<String> answer =
        http.send(
            HttpRequest.newBuilder(URI.create(console + "/api/v1/proxy-clusters"))
                .header("Authorization", "Bearer " + token)
                .POST(HttpRequest.BodyPublishers.ofString("{\"name\":\"x\",\"bogus\":1}"))
                .build(),
            BodyHandlers.ofString());

    assertThat(answer.statusCode()).isEqualTo(400);
    assertThat(answer.body()).contains("bogus");
  }

  @Test
  @Requirement("G4")
  void console_signIn_givesStrictCookieThatOpensTheHosts() throws Exception {
    HttpResponse<String> signedIn = signIn(PASSWORD, "same-origin");

    assertThat(signedIn.statusCode()).isEqualTo(303);
    String cookie = signedIn.headers().firstValue("Set-Cookie").orElseThrow();
    assertThat(cookie).contains("__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/");
    HttpResponse<String> page =
        get(console + "/hosts", "Cookie", cookie.substring(0, cookie.indexOf(';')));
    assertThat(page.statusCode()).isEqualTo(200);
    assertThat(page.body()).contains("No hosts yet", "towline install-command create");
    assertThat(page.headers().firstValue("Content-Security-Policy").orElseThrow())
        .contains("default-src 'none'", "script-src 'self'")
        .doesNotContain("unsafe");
  }

  @Test
  void console_wrongPassword_showsWhyAndNoCookie() throws Exception {
    HttpResponse<String> refused = signIn("wrong", "same-origin");

    assertThat(refused.statusCode()).isEqualTo(401);
    assertThat(refused.body()).contains("user or password is wrong");
    assertThat(refused.headers().firstValue("Set-Cookie")).isEmpty();
  }

  @Test
  void console_formOfAnotherSite_isRefused() throws Exception {
    assertThat(signIn(PASSWORD, "cross-site").statusCode()).isEqualTo(403);
  }

  @Test
  void console_notSignedIn_leadsToSignIn() throws Exception {
    HttpResponse<String> page = get(console + "/hosts");
    assertThat(page.statusCode()).isEqualTo(303);
    assertThat(page.headers().firstValue("Location").orElseThrow()).endsWith("/sign-in");
    HttpResponse<String> fragment = get(console + "/hosts/table", "HX-Request", "true");
    assertThat(fragment.headers().firstValue("HX-Redirect")).contains("/sign-in");
  }

  @Test
  @Requirement({"I1", "I3"})
  void installCommand_script_isPinnedAndHoldsNoSecret() throws Exception {
    CreatedInstallCommand created = create();
    String id = created.getCommand().getId();

    HttpResponse<String> script = get(site + "/install/" + id + ".sh");

    String hash =
        HexFormat.of()
            .formatHex(Fingerprints.sha256(script.body().getBytes(StandardCharsets.UTF_8)));
    String secret =
        created.getEnrollmentFile().replaceAll(".*\"secret\":\"([A-Za-z0-9_-]{43})\".*", "$1");
    assertThat(secret).hasSize(43);
    assertThat(created.getCurlLine()).contains(hash).contains("printf '%s\\n' '" + secret + "'");
    assertThat(created.getWgetLine()).contains(hash);
    assertThat(script.body())
        .doesNotContain(secret)
        .contains(manager.services().fleet().rootFingerprint())
        .contains(PACKAGE);
  }

  @Test
  @Requirement("I2")
  void installCommand_revoked_isToldToTheHostAndRecorded() throws Exception {
    String id = create().getCommand().getId();
    assertThat(get(site + "/install/" + id + "/state/linux/x86_64").body()).isEqualTo("ok\n");
    assertThat(get(site + "/install/" + id + "/state/darwin/arm64").body())
        .startsWith("refused TOKEN_WRONG_OS: ");
    InstallCommandServiceGrpc.InstallCommandServiceBlockingStub commands =
        InstallCommandServiceGrpc.newBlockingStub(admin);
    commands.revokeInstallCommand(
        RevokeInstallCommandRequest.newBuilder().setInstallCommand(id).build());

    String answer = get(site + "/install/" + id + "/state/linux/x86_64").body();

    assertThat(answer).startsWith("refused TOKEN_REVOKED: ").hasLineCount(1);
    Await.until(
        "the event",
        BOUND,
        () ->
            EventServiceGrpc.newBlockingStub(admin)
                .listEvents(
                    ListEventsRequest.newBuilder()
                        .setCode("enrollment.refused.token_revoked")
                        .build())
                .getEventsList()
                .stream()
                .anyMatch(event -> event.getSubject().equals(id)));
  }

  @Test
  @Requirement("I3")
  void packages_rangesAndNothingElse_areServed() throws Exception {
    String url = site + "/packages/" + PACKAGE;
    HttpResponse<String> part = get(url, "Range", "bytes=3-5");
    assertThat(part.statusCode()).isEqualTo(206);
    assertThat(part.body()).isEqualTo("345");
    HttpResponse<String> whole = get(url);
    assertThat(whole.body()).isEqualTo("0123456789");
    String tag = whole.headers().firstValue("ETag").orElseThrow();
    assertThat(get(url, "If-None-Match", tag).statusCode()).isEqualTo(304);
    assertThat(get(site + "/packages/secret.txt").statusCode()).isEqualTo(404);
    assertThat(get(site + "/packages/..%2fpassword").statusCode()).isGreaterThanOrEqualTo(400);
  }

  @Test
  @Requirement({"U1", "U5"})
  void updates_importedInParts_areServedAndAudited() throws Exception {
    byte[] content = "rules of the day".getBytes(StandardCharsets.UTF_8);
    UploadFile file =
        UploadFile.newBuilder()
            .setPath("bin/no extension")
            .setSize(content.length)
            .setSha256(HexFormat.of().formatHex(Fingerprints.sha256(content)))
            .build();
    UpdateServiceGrpc.UpdateServiceBlockingStub updates = UpdateServiceGrpc.newBlockingStub(admin);
    for (int offset = 0; offset < content.length; offset += 5) {
      UploadPartResponse _ =
          updates.uploadPart(
              UploadPartRequest.newBuilder()
                  .setFile(file)
                  .setOffset(offset)
                  .setData(
                      ByteString.copyFrom(content, offset, Math.min(5, content.length - offset)))
                  .build());
    }
    assertThat(
            updates
                .listUploads(ListUploadsRequest.newBuilder().addFiles(file).build())
                .getOffsetsList())
        .containsExactly((long) content.length);

    Release release =
        updates.publishRelease(
            PublishReleaseRequest.newBuilder()
                .setComponent("rules")
                .setVersion("1.0")
                .addFiles(file)
                .build());

    assertThat(release.getCurrent()).isTrue();
    assertThat(get(site + "/updates/content/rules/1.0/bin/no%20extension").body())
        .isEqualTo("rules of the day");
    assertThat(get(console + "/api/v1/updates", "Authorization", "Bearer " + token).body())
        .contains("\"version\": \"1.0\"");
    Await.until(
        "the audit event",
        BOUND,
        () ->
            EventServiceGrpc.newBlockingStub(admin)
                .listEvents(ListEventsRequest.newBuilder().setCode("audit.publish_release").build())
                .getEventsList()
                .stream()
                .anyMatch(event -> event.getDetail().contains("rules")));
  }

  @Test
  @Requirement("U6")
  void updates_passwordOfASource_isShownToNobody() throws Exception {
    PolicyServiceGrpc.PolicyServiceBlockingStub policies = PolicyServiceGrpc.newBlockingStub(admin);

    PolicyChange change =
        policies.changeSettings(
            ChangeSettingsRequest.newBuilder()
                .setPolicy("base")
                .putSet("updates.user", "hosts")
                .putSet("updates.password", "pa55word")
                .build());

    assertThat(change.toString()).contains("hosts").doesNotContain("pa55word");
    PolicyDocument document =
        policies.getPolicyDocument(GetPolicyDocumentRequest.getDefaultInstance());
    assertThat(document.getYaml()).contains("(hidden)").doesNotContain("pa55word");
    assertThat(policies.applyPolicies(document).getLevelsList()).isEmpty();
    assertThat(
            policies.getPolicy(GetPolicyRequest.newBuilder().setPolicy("base").build()).toString())
        .doesNotContain("pa55word");
    assertThat(
            policies
                .getPolicyHistory(GetPolicyHistoryRequest.newBuilder().setPolicy("base").build())
                .toString())
        .contains("hidden")
        .doesNotContain("pa55word");
    Await.until(
        "the audit event",
        BOUND,
        () ->
            EventServiceGrpc.newBlockingStub(admin)
                .listEvents(ListEventsRequest.newBuilder().setCode("audit.change_settings").build())
                .getEventsList()
                .stream()
                .anyMatch(event ->
                    event.getDetail().contains("updates.password")
                        && !event.getDetail().contains("pa55word")));
  }

  private static CreatedInstallCommand create() {
    return InstallCommandServiceGrpc.newBlockingStub(admin)
        .createInstallCommand(
            CreateInstallCommandRequest.newBuilder().setOs("linux").setGroup("web").build());
  }

  private static HttpResponse<String> signIn(String password, String site) throws Exception {
    String form = "user=admin&password=" + URLEncoder.encode(password, StandardCharsets.UTF_8);
    return http.send(
        HttpRequest.newBuilder(URI.create(console + "/sign-in"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Sec-Fetch-Site", site)
            .POST(HttpRequest.BodyPublishers.ofString(form))
            .build(),
        BodyHandlers.ofString());
  }

  private static HttpResponse<String> get(String url, String... headers) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(url));
    if (headers.length > 0) {
      request.headers(headers);
    }
    return http.send(request.build(), BodyHandlers.ofString());
  }
}
