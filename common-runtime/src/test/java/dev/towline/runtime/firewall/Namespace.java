package dev.towline.runtime.firewall;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A network namespace of its own, held by a process that does nothing. */
public final class Namespace implements AutoCloseable {
  private final Process holder;

  private Namespace(Process holder) {
    this.holder = holder;
  }

  /** Fails where the right to make namespaces is missing. */
  public static Namespace open() throws IOException, InterruptedException {
    Process holder =
        new ProcessBuilder("unshare", "-n", "sh", "-c", "echo ready; exec sleep 3600")
            .redirectErrorStream(true)
            .start();
    String line = holder.inputReader(StandardCharsets.UTF_8).readLine();
    if (!"ready".equals(line)) {
      holder.destroy();
      throw new IOException("no namespace: " + line);
    }
    var made = new Namespace(holder);
    made.run("", "ip", "link", "set", "lo", "up");
    return made;
  }

  public long pid() {
    return holder.pid();
  }

  public Process start(String... command) throws IOException {
    return new ProcessBuilder(within(command)).redirectErrorStream(true).start();
  }

  public String run(String input, String... command) throws IOException, InterruptedException {
    Process process = start(command);
    try (var out = process.getOutputStream()) {
      out.write(input.getBytes(StandardCharsets.UTF_8));
    }
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(String.join(" ", command) + ": " + text + "\n" + input);
    }
    return text;
  }

  private List<String> within(String... command) {
    List<String> all = new ArrayList<>(List.of("nsenter", "-t", "" + pid(), "-n"));
    all.addAll(List.of(command));
    return all;
  }

  @Override
  public void close() {
    holder.destroy();
  }
}
