package dev.towline.bench.updates;

import dev.towline.it.fleet.Program;
import dev.towline.testing.Await;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * nginx from the distribution over TLS 1.3, with the settings of Debian's own file that matter for
 * speed and without a log, as the manager has none.
 */
final class Nginx implements AutoCloseable {
  private final Program program;
  private final String address;

  /**
   * @param listen host:port
   */
  Nginx(Path directory, Path tree, String listen) throws IOException, InterruptedException {
    Path key = directory.resolve("nginx.key");
    Path certificate = directory.resolve("nginx.crt");
    Shell.run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=nginx",
        "-keyout",
        key.toString(),
        "-out",
        certificate.toString());
    Path config =
        Files.writeString(
            directory.resolve("nginx.conf"),
            """
            user root;
            daemon off;
            worker_processes auto;
            pid DIR/nginx.pid;
            error_log stderr;
            events { worker_connections 768; }
            http {
              access_log off;
              sendfile on;
              tcp_nopush on;
              keepalive_requests 1000000;
              types {}
              default_type application/octet-stream;
              ssl_protocols TLSv1.3;
              ssl_certificate DIR/nginx.crt;
              ssl_certificate_key DIR/nginx.key;
              server {
                listen LISTEN ssl;
                location /updates/ { alias TREE/; }
              }
            }
            """
                .replace("DIR", directory.toString())
                .replace("LISTEN", listen)
                .replace("TREE", tree.toString()));
    this.address = "https://" + listen + "/updates/";
    this.program =
        new Program(
                "nginx",
                List.of("nginx", "-c", config.toString()),
                Map.of(),
                directory.resolve("logs/nginx.log"))
            .start();
    Await.until(
        "nginx to run",
        Duration.ofSeconds(20),
        () -> program.isRunning() && Files.exists(directory.resolve("nginx.pid")));
  }

  String address() {
    return address;
  }

  Program program() {
    return program;
  }

  @Override
  public void close() {
    program.stop();
  }
}
