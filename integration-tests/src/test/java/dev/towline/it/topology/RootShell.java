package dev.towline.it.topology;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A root shell in a container. What is pasted comes on its standard input, as from a terminal, and
 * so is on nobody's argument list.
 */
final class RootShell {
  private RootShell() {}

  /** Returns when the shell has ended, or {@link Result#TIMED_OUT} when it takes longer. */
  static Result paste(String container, String lines, Duration limit) {
    Path in = null;
    Path out = null;
    Path err = null;
    try {
      in = Files.createTempFile("towline-paste", ".in");
      out = Files.createTempFile("towline-paste", ".out");
      err = Files.createTempFile("towline-paste", ".err");
      Files.writeString(in, lines + "\n");
      Process shell =
          new ProcessBuilder("docker", "exec", "-i", container, "sh")
              .redirectInput(in.toFile())
              .redirectOutput(out.toFile())
              .redirectError(err.toFile())
              .start();
      boolean ended = shell.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
      if (!ended) {
        shell.destroyForcibly();
      }
      return new Result(
          ended ? shell.exitValue() : Result.TIMED_OUT,
          Files.readString(out, StandardCharsets.UTF_8),
          Files.readString(err, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(container + ": no shell", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(container + ": interrupted in a shell", e);
    } finally {
      delete(in);
      delete(out);
      delete(err);
    }
  }

  private static void delete(@Nullable Path file) {
    try {
      if (file != null) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
