package dev.towline.it.fleet;

import dev.towline.agent.AgentMain;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;

/** Many real agents in one process, each with its own data directory: a fleet on one machine. */
final class AgentFarm {
  private AgentFarm() {}

  /**
   * @param arguments one for each agent: name, data directory and enrollment file, joined by '='
   */
  public static void main(String[] arguments) throws InterruptedException {
    List<Thread> agents = new ArrayList<>();
    for (String argument : arguments) {
      String[] parts = argument.split("=");
      agents.add(
          Thread.ofPlatform()
              .name(parts[0])
              .start(() ->
                  new CommandLine(AgentMain.class)
                      .execute(
                          "run",
                          "--data",
                          parts[1],
                          "--name",
                          parts[0],
                          "--enrollment",
                          parts[2])));
    }
    for (Thread agent : agents) {
      agent.join();
    }
  }
}
