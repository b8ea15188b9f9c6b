package dev.towline.proxy.control;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/**
 * How {@code towline-proxy stop} and the proxy on the same host understand each other: a request
 * and, where it is refused, an answer, each a file in the proxy's directory.
 */
public final class StopRequest {
  private static final String FORCED = "force";

  private final Path request;
  private final Path refusal;

  public StopRequest(Path data) {
    this.request = data.resolve("stop");
    this.refusal = data.resolve("stop-refused");
  }

  /** What is asked for. */
  public record Wanted(boolean force) {}

  public void ask(boolean force) throws IOException {
    Files.deleteIfExists(refusal);
    put(request, force ? FORCED : "drain first");
  }

  /** Takes the request, so that it is acted on once. */
  public Optional<Wanted> take() throws IOException {
    try {
      String text = Files.readString(request);
      Files.delete(request);
      return Optional.of(new Wanted(text.equals(FORCED)));
    } catch (NoSuchFileException _) {
      return Optional.empty();
    }
  }

  public void refuse(String why) throws IOException {
    put(refusal, why);
  }

  /** Why it was refused, if it was. */
  public Optional<String> takeRefusal() throws IOException {
    try {
      String why = Files.readString(refusal);
      Files.delete(refusal);
      return Optional.of(why);
    } catch (NoSuchFileException _) {
      return Optional.empty();
    }
  }

  /** Forgets what an earlier process was asked. */
  public void clear() throws IOException {
    Files.deleteIfExists(request);
    Files.deleteIfExists(refusal);
  }

  private static void put(Path file, String text) throws IOException {
    Path next = file.resolveSibling(file.getFileName() + ".new");
    Files.write(next, text.getBytes(StandardCharsets.UTF_8));
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
