package dev.towline.manager;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

final class ManagerMainTest {
  /** The whole command line is built for it, as at every start. */
  @Test
  void configShow_help_namesItsOptions() {
    var out = new StringWriter();
    var line = new CommandLine(ManagerMain.class).setOut(new PrintWriter(out));

    assertThat(line.execute("config", "show", "--help")).isZero();
    assertThat(out.toString()).contains("towline-manager config show", "--data");
  }
}
