package dev.towline.manager.rest;

import dev.towline.manager.console.Console;
import dev.towline.manager.fleet.Fleet;
import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.TlsProfile;
import io.grpc.Channel;
import io.grpc.ServerServiceDefinition;
import io.javalin.Javalin;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;

/**
 * The port of operators: console, REST and gRPC on one (8444).
 *
 * <p>Lifecycle: serves from construction until {@link #close}.
 */
public final class ConsoleServer implements AutoCloseable {
  private static final long LARGEST_BODY = 4 << 20;

  private final ManagerTls tls;
  private final Javalin server;

  public ConsoleServer(
      String address,
      int port,
      Fleet fleet,
      TlsProfile profile,
      BiConsumer<String, HandshakeRefusal> refusals,
      Channel admin,
      List<ServerServiceDefinition> services,
      Console console) {
    tls = new ManagerTls(fleet, profile);
    var transcoder = new Transcoder(admin, services);
    server =
        Javalin.create(config -> {
          config.startup.showJavalinBanner = false;
          config.startup.showOldJavalinVersionWarning = false;
          config.concurrency.useVirtualThreads = true;
          config.http.maxRequestSize = LARGEST_BODY;
          config.http.defaultContentType = "text/plain; charset=utf-8";
          config.jetty.addConnector((jetty, http) ->
              Connectors.tls(jetty, http, tls.factory(), profile, refusals, address, port));
          config.jetty.modifyServer(jetty -> jetty.insertHandler(new GrpcBridge(admin, services)));
          for (HandlerType verb : List.of(HandlerType.GET, HandlerType.POST, HandlerType.DELETE)) {
            config.routes.addHttpHandler(
                verb, "/api/<path>", context -> answer(transcoder, context));
          }
          console.addTo(config.routes);
        });
    server.start();
  }

  /** To be called now and then. */
  public void reloadCertificate() {
    tls.reloadIfRenewed();
  }

  @Override
  public void close() {
    server.stop();
  }

  private static void answer(Transcoder transcoder, Context context) {
    Transcoder.Answer answer =
        transcoder.answer(
            context.method().name(),
            context.req().getRequestURI(),
            context.queryParamMap(),
            context.body(),
            Objects.requireNonNullElse(context.header("Authorization"), ""));
    context
        .status(answer.status())
        .contentType("application/json")
        .header("Cache-Control", "no-store")
        .header("X-Content-Type-Options", "nosniff")
        .result(answer.json());
  }
}
