package dev.towline.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

final class AgentMainTest {
  /** The whole command line is built for it, as at every start. */
  @Test
  void configShow_help_namesItsOptions() {
    var out = new StringWriter();
    var line = new CommandLine(AgentMain.class).setOut(new PrintWriter(out));

    assertThat(line.execute("config", "show", "--help")).isZero();
    assertThat(out.toString()).contains("towline-agent config show", "--data");
  }
}
