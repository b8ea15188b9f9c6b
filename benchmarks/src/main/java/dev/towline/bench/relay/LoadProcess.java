package dev.towline.bench.relay;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A {@link LoadMain} as a process. Threading: one owner. */
public final class LoadProcess implements AutoCloseable {
  private final String role;
  private final Process process;
  private final BufferedWriter commands;
  private final BufferedReader answers;

  private LoadProcess(String role, Process process) {
    this.role = role;
    this.process = process;
    this.commands =
        new BufferedWriter(
            new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
    this.answers =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  public static LoadProcess start(String role, Object... arguments) throws IOException {
    return start(List.of("-Xmx256m"), role, arguments);
  }

  /**
   * @param javaOptions beside those that every load has
   */
  public static LoadProcess start(List<String> javaOptions, String role, Object... arguments)
      throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-Xms64m",
                "-XX:MaxDirectMemorySize=2g",
                "--sun-misc-unsafe-memory-access=allow",
                "-Dio.grpc.netty.shaded.io.netty.noUnsafe=false",
                "-Dio.grpc.netty.shaded.io.netty.leakDetection.level=disabled"));
    command.addAll(javaOptions);
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), LoadMain.class.getName(), role));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    LoadProcess started = new LoadProcess(role, process);
    started.expect("ready");
    return started;
  }

  /**
   * @throws IOException with what it said, when that was an error
   */
  public String[] ask(Object... words) throws IOException {
    List<String> line = new ArrayList<>();
    for (Object word : words) {
      line.add(word.toString());
    }
    commands.write(String.join(" ", line));
    commands.newLine();
    commands.flush();
    return expect("ok");
  }

  private String[] expect(String first) throws IOException {
    String answer = answers.readLine();
    if (answer == null || !answer.startsWith(first)) {
      throw new IOException(role + " said: " + answer);
    }
    return answer.substring(first.length()).strip().split(" ");
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
