package dev.towline.agent;

import dev.towline.agent.image.ImageMark;
import dev.towline.agent.image.Machine;
import dev.towline.runtime.telemetry.BuildInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Makes this host an image (I4): install commands call it. */
@Command(
    name = "image",
    description = "Remembers this machine as an image: it never enrolls, its clones do.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
final class ImageCommand implements Callable<Integer> {
  @Option(
      names = "--data",
      paramLabel = "DIR",
      defaultValue = "/var/lib/towline/agent",
      description = "default: ${DEFAULT-VALUE}")
  private Path data = Path.of("");

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws IOException {
    String machine = Machine.mark(Path.of("/"));
    if (machine.isEmpty()) {
      spec.commandLine()
          .getErr()
          .println("towline-agent: nothing tells this machine from a copy of its disk");
      return 1;
    }
    if (Files.exists(data.resolve("identity"))) {
      spec.commandLine()
          .getErr()
          .println("towline-agent: this host is enrolled already; uninstall it first");
      return 1;
    }
    Files.createDirectories(data);
    new ImageMark(data).set(machine);
    return 0;
  }
}
