package dev.towline.agent.firewall;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs short programs of the host, such as {@code nft}. Safe for use by several threads. */
public interface HostCommands {
  /** How a program ended. */
  record Ended(int status, String out, String err) {
    public boolean ok() {
      return status == 0;
    }
  }

  /**
   * @param input for its standard input
   * @throws IOException when it can't be started or takes too long
   */
  Ended run(String input, List<String> command) throws IOException, InterruptedException;

  default Ended run(String... command) throws IOException, InterruptedException {
    return run("", List.of(command));
  }

  /** Whether a program is there and ends well. */
  static boolean has(HostCommands commands, String... command) throws InterruptedException {
    try {
      return commands.run(command).ok();
    } catch (IOException _) {
      return false;
    }
  }

  /** The real ones. */
  static HostCommands real() {
    return HostCommands::execute;
  }

  private static Ended execute(String input, List<String> command)
      throws IOException, InterruptedException {
    // A file holds more than a pipe, so nobody has to read both streams at once.
    Path err = Files.createTempFile("towline-", ".err");
    try {
      Process process = new ProcessBuilder(command).redirectError(err.toFile()).start();
      try (OutputStream in = process.getOutputStream()) {
        in.write(input.getBytes(StandardCharsets.UTF_8));
      } catch (IOException _) {
        // It ended without reading; its status says why.
      }
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IOException(command.getFirst() + " has not ended within 30 s");
      }
      return new Ended(process.exitValue(), out, Files.readString(err).strip());
    } finally {
      Files.deleteIfExists(err);
    }
  }
}
