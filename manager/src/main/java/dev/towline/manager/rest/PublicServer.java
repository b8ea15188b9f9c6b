package dev.towline.manager.rest;

import dev.towline.manager.fleet.Fleet;
import dev.towline.manager.install.PublicSite;
import dev.towline.manager.updates.Updates;
import dev.towline.runtime.tls.HandshakeRefusal;
import dev.towline.runtime.tls.TlsProfile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.function.BiConsumer;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpURI;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.handler.ResourceHandler;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.resource.ResourceFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/**
 * The ports of hosts that are to be installed or want updates: HTTPS (8443) and plain HTTP (8080),
 * without client certificates. What is fetched is checked by hash, so both serve the same.
 *
 * <p>Lifecycle: serves from construction until {@link #close}.
 */
public final class PublicServer implements AutoCloseable {
  private static final int MOST_THREADS = 64;
  private static final UriCompliance ANY_NAME =
      UriCompliance.from("RFC3986,AMBIGUOUS_PATH_ENCODING,AMBIGUOUS_PATH_PARAMETER");

  private final ManagerTls tls;
  private final Server server;

  public PublicServer(
      String address,
      int tlsPort,
      int plainPort,
      Fleet fleet,
      TlsProfile profile,
      BiConsumer<String, HandshakeRefusal> refusals,
      PublicSite site,
      Updates updates) {
    tls = new ManagerTls(fleet, profile);
    var threads = new QueuedThreadPool(MOST_THREADS);
    threads.setName("public");
    threads.setDaemon(true);
    threads.setVirtualThreadsExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server = new Server(threads);
    var http = new HttpConfiguration();
    // Files may have any name; what is behind a path is decided on its decoded form.
    http.setUriCompliance(ANY_NAME);
    server.addConnector(
        Connectors.tls(server, http, tls.factory(), profile, refusals, address, tlsPort));
    server.addConnector(Connectors.plain(server, http, address, plainPort));
    server.setHandler(
        new UpdateTree(
            updates.repository().publicTree(), updates.serving()::current, new SiteHandler(site)));
    try {
      server.start();
    } catch (Exception e) {
      throw new IllegalStateException(
          "ports " + tlsPort + " and " + plainPort + " of " + address + " can't be served: " + e,
          e);
    }
  }

  /** To be called now and then. */
  public void reloadCertificate() {
    tls.reloadIfRenewed();
  }

  @Override
  public void close() throws Exception {
    server.stop();
  }

  /** Answers texts itself; files go through Jetty, which knows ranges and entity tags. */
  private static final class SiteHandler extends Handler.Abstract {
    private final PublicSite site;
    private final Map<Path, ResourceHandler> directories = new ConcurrentHashMap<>();

    SiteHandler(PublicSite site) {
      this.site = site;
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) throws Exception {
      if (!HttpMethod.GET.is(request.getMethod()) && !HttpMethod.HEAD.is(request.getMethod())) {
        Response.writeError(request, response, callback, 405);
        return true;
      }
      response.getHeaders().put("X-Content-Type-Options", "nosniff");
      switch (site.answer(request.getHttpURI().getPath(), Request.getRemoteAddr(request))) {
        case PublicSite.Answer.Text(String contentType, String text) -> {
          byte[] body = text.getBytes(StandardCharsets.UTF_8);
          response.getHeaders().put(HttpHeader.CONTENT_TYPE, contentType);
          response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
          response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
          if (HttpMethod.HEAD.is(request.getMethod())) {
            callback.succeeded();
          } else {
            response.write(true, ByteBuffer.wrap(body), callback);
          }
        }
        case PublicSite.Answer.File(Path file) -> sendFile(file, request, response, callback);
        case PublicSite.Answer.NotFound() ->
            Response.writeError(request, response, callback, 404, "not found");
      }
      return true;
    }

    private void sendFile(Path file, Request request, Response response, Callback callback)
        throws Exception {
      Path directory = file.toAbsolutePath().getParent();
      ResourceHandler files = directories.computeIfAbsent(directory, this::serving);
      HttpURI.Mutable uri =
          HttpURI.build(request.getHttpURI()).path("/" + file.getFileName()).query(null);
      Request inDirectory = Request.serveAs(request, uri);
      if (!files.handle(inDirectory, response, callback)) {
        Response.writeError(request, response, callback, 404, "not found");
      }
    }

    private ResourceHandler serving(Path directory) {
      var files = new ResourceHandler();
      files.setServer(getServer());
      files.setBaseResource(ResourceFactory.root().newResource(directory));
      files.setDirAllowed(false);
      files.setEtags(true);
      files.setAcceptRanges(true);
      files.setCacheControl("no-cache");
      try {
        files.start();
      } catch (Exception e) {
        throw new IllegalStateException("files of " + directory + " can't be served", e);
      }
      return files;
    }
  }
}
