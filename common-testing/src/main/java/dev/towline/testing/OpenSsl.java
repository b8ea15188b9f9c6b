package dev.towline.testing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Handshakes of {@code openssl s_client}, which is not ours. */
public final class OpenSsl {
  private static final long PATIENCE_SECONDS = 60;

  private OpenSsl() {}

  /**
   * How it went.
   *
   * @param output everything that was said
   */
  public record Handshake(boolean done, String output) {}

  /**
   * One handshake with a port of this machine.
   *
   * @param root PEM of what the server's chain has to lead to
   */
  public static Handshake connect(int port, Path root, List<String> options)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.addAll(
        List.of(
            "openssl",
            "s_client",
            "-connect",
            "127.0.0.1:" + port,
            "-CAfile",
            root.toString(),
            "-verify_return_error",
            "-alpn",
            // HTTP/2 forbids the CBC suites; with those, browsers and curl speak HTTP/1.1.
            "h2,http/1.1"));
    command.addAll(options);
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("openssl did not end: " + output);
    }
    return new Handshake(
        output.contains("Verify return code: 0 (ok)") && !output.contains("Cipher is (NONE)"),
        output);
  }
}
