package dev.towline.manager.console;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.AuthServiceGrpc;
import dev.towline.proto.v1.ErrorInfo;
import dev.towline.proto.v1.HostServiceGrpc;
import dev.towline.proto.v1.ListHostsRequest;
import dev.towline.proto.v1.SignInRequest;
import dev.towline.proto.v1.SignInResponse;
import dev.towline.proto.v1.SignOutRequest;
import gg.jte.ContentType;
import gg.jte.TemplateEngine;
import gg.jte.output.StringOutput;
import io.grpc.Channel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/**
 * Sign-in and the table of hosts. Everything shown comes through the admin API with the operator's
 * own token, which the browser keeps in a cookie that no script can read.
 */
public final class Console {
  private static final String COOKIE = "__Host-towline";
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final int MOST_ROWS = 500;
  private static final long CALL_SECONDS = 20;
  private static final String CONTENT_SECURITY_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
          + " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

  private final Channel admin;
  private final String fleet;
  private final String version;
  private final InstantSource clock;
  private final Assets assets = new Assets();
  private final TemplateEngine templates =
      TemplateEngine.createPrecompiled(
          null, ContentType.Html, null, "dev.towline.manager.console.templates");

  public Console(Channel admin, String fleet, String version, InstantSource clock) {
    this.admin = admin;
    this.fleet = fleet;
    this.version = version;
    this.clock = clock;
  }

  /** What every page needs around its content. */
  public record Frame(String fleet, String version, String style, String htmx, String user) {}

  public void addTo(RoutesConfig routes) {
    routes.before(this::secure);
    routes.get("/", context -> context.redirect("/hosts", HttpStatus.SEE_OTHER));
    routes.get("/sign-in", context -> signInPage(context, "admin", ""));
    routes.post("/sign-in", this::signIn);
    routes.post("/sign-out", this::signOut);
    routes.get("/hosts", context -> hosts(context, "hosts.jte"));
    routes.get("/hosts/table", context -> hosts(context, "hostsTable.jte"));
    routes.get("/assets/<file>", this::asset);
  }

  private void secure(Context context) {
    context.header("Content-Security-Policy", CONTENT_SECURITY_POLICY);
    context.header("X-Content-Type-Options", "nosniff");
    context.header("X-Frame-Options", "DENY");
    context.header("Referrer-Policy", "same-origin");
    context.header("Cache-Control", "no-store");
  }

  private void asset(Context context) {
    var asset = assets.find(context.path());
    if (asset.isEmpty()) {
      context.status(404).result("not found");
      return;
    }
    context
        .header("Cache-Control", "public, max-age=31536000, immutable")
        .contentType(asset.get().contentType())
        .result(asset.get().content());
  }

  private void signIn(Context context) {
    if (isForeign(context)) {
      context.status(403).result("this form was sent by another site");
      return;
    }
    String user = Objects.requireNonNullElse(context.formParam("user"), "");
    String password = Objects.requireNonNullElse(context.formParam("password"), "");
    try {
      SignInResponse signedIn =
          limited(AuthServiceGrpc.newBlockingStub(admin))
              .signIn(SignInRequest.newBuilder().setUser(user).setPassword(password).build());
      long seconds = Duration.ofMillis(signedIn.getExpiresMs() - clock.millis()).toSeconds();
      setCookie(context, signedIn.getToken(), seconds);
      context.redirect("/hosts", HttpStatus.SEE_OTHER);
    } catch (StatusRuntimeException e) {
      context.status(401);
      signInPage(context, user, message(e));
    }
  }

  private void signOut(Context context) {
    if (isForeign(context)) {
      context.status(403).result("this form was sent by another site");
      return;
    }
    try {
      var ignored =
          as(context, AuthServiceGrpc.newBlockingStub(admin))
              .signOut(SignOutRequest.getDefaultInstance());
    } catch (StatusRuntimeException e) {
      if (e.getStatus().getCode() != Status.Code.UNAUTHENTICATED) {
        throw e;
      }
    }
    setCookie(context, "", 0);
    context.redirect("/sign-in", HttpStatus.SEE_OTHER);
  }

  private void hosts(Context context, String template) {
    String selector = Objects.requireNonNullElse(context.queryParam("selector"), "").strip();
    HostsPage page;
    try {
      page =
          HostsPage.of(
              selector,
              as(context, HostServiceGrpc.newBlockingStub(admin))
                  .listHosts(
                      ListHostsRequest.newBuilder()
                          .setSelector(selector)
                          .setPageSize(MOST_ROWS)
                          .build()),
              clock.instant());
    } catch (StatusRuntimeException e) {
      if (e.getStatus().getCode() == Status.Code.UNAUTHENTICATED) {
        toSignIn(context);
        return;
      }
      page = HostsPage.failed(selector, message(e));
    }
    render(context, template, Map.of("page", page, "frame", frame("admin")));
  }

  private static void toSignIn(Context context) {
    if (context.header("HX-Request") == null) {
      context.redirect("/sign-in", HttpStatus.SEE_OTHER);
    } else {
      // A redirect would be followed into the table.
      context.header("HX-Redirect", "/sign-in").status(200).result("");
    }
  }

  private void signInPage(Context context, String user, String problem) {
    render(context, "signIn.jte", Map.of("user", user, "problem", problem, "frame", frame("")));
  }

  private Frame frame(String user) {
    return new Frame(fleet, version, assets.style(), assets.htmx(), user);
  }

  private void render(Context context, String template, Map<String, Object> model) {
    var output = new StringOutput();
    templates.render(template, model, output);
    context.html(output.toString());
  }

  private <S extends AbstractStub<S>> S as(Context context, S stub) {
    var headers = new Metadata();
    String token = context.cookie(COOKIE);
    if (token != null && token.matches("[A-Za-z0-9_-]{1,200}")) {
      headers.put(AUTHORIZATION, "Bearer " + token);
    }
    return limited(stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers)));
  }

  private static <S extends AbstractStub<S>> S limited(S stub) {
    return stub.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
  }

  private static void setCookie(Context context, String value, long seconds) {
    context.header(
        "Set-Cookie",
        COOKIE
            + "="
            + value
            + "; Path=/; Max-Age="
            + seconds
            + "; Secure; HttpOnly; SameSite=Strict");
  }

  /** Whether a browser says that another site made it send this. */
  private static boolean isForeign(Context context) {
    String site = context.header("Sec-Fetch-Site");
    if (site != null) {
      return !site.equals("same-origin") && !site.equals("none");
    }
    String origin = context.header("Origin");
    return origin != null && !origin.equals("https://" + context.host());
  }

  private static String message(StatusRuntimeException e) {
    com.google.rpc.Status status = StatusProto.fromThrowable(e);
    if (status != null) {
      for (Any detail : status.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          try {
            ErrorInfo info = detail.unpack(ErrorInfo.class);
            return info.getMessage() + (info.getRemedy().isEmpty() ? "" : "; " + info.getRemedy());
          } catch (InvalidProtocolBufferException _) {
            break;
          }
        }
      }
    }
    return "the manager failed to answer: " + e.getStatus().getCode();
  }
}
