package dev.towline.proxy.mirror;

import dev.towline.runtime.tls.ServerAddress;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;

/**
 * The manager's public port, as the mirror asks it. Servers are tried in order.
 *
 * <p>Threading: thread-safe; calls block, so they belong on virtual threads. Failure: an {@link
 * IOException} when no server answers; any status is an answer.
 */
public final class ManagerSite implements AutoCloseable {
  static final String AUTHORIZATION = "Authorization";

  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(20);

  private final List<ServerAddress> servers;
  private final HttpClient client;

  public ManagerSite(List<ServerAddress> servers, SSLContext tls) {
    this.servers = List.copyOf(servers);
    this.client =
        HttpClient.newBuilder()
            .sslContext(tls)
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT_LIMIT)
            .followRedirects(HttpClient.Redirect.NEVER)
            .build();
  }

  /**
   * Asks for a path.
   *
   * @param target path and query as they are on the wire
   */
  HttpResponse<InputStream> ask(String method, String target, Map<String, String> headers)
      throws IOException, InterruptedException {
    IOException last = new IOException("no public address of a manager is configured");
    for (ServerAddress server : servers) {
      var request =
          HttpRequest.newBuilder(URI.create("https://" + server + target))
              .timeout(ANSWER_LIMIT)
              .method(method, HttpRequest.BodyPublishers.noBody());
      headers.forEach(request::header);
      try {
        return client.send(request.build(), BodyHandlers.ofInputStream());
      } catch (IOException e) {
        last = e;
      }
    }
    throw last;
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
