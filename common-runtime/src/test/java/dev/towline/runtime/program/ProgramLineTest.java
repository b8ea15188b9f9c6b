package dev.towline.runtime.program;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.config.SettingSources;
import dev.towline.runtime.error.TowlineException;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.BindException;
import java.nio.file.AccessDeniedException;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;

@Requirement("T3")
final class ProgramLineTest {
  @Command(name = "towline-x", subcommands = Fail.class)
  private static final class Program extends CommandGroup {}

  @Command(name = "fail")
  private static final class Fail implements Callable<Integer> {
    private Exception failure = new IllegalStateException();

    @Override
    public Integer call() throws Exception {
      throw failure;
    }
  }

  @Test
  void command_failsWithAReason_isToldInOneLine() {
    assertThat(told(new TowlineException(SettingSources.INVALID, "name: ''", "give one")))
        .isEqualTo("towline-x: name: ''; give one\n");
    assertThat(told(new IOException("disk full"))).isEqualTo("towline-x: disk full\n");
    assertThat(told(new AccessDeniedException("/data")))
        .isEqualTo("towline-x: AccessDeniedException: /data\n");
    assertThat(told(new IOException("0.0.0.0:443", new BindException("Permission denied"))))
        .isEqualTo(
            "towline-x: a port can't be listened on: 0.0.0.0:443 (Permission denied); choose"
                + " another, see 'towline-x config show'\n");
  }

  @Test
  void group_withoutACommand_namesThem() {
    CommandLine line = ProgramLine.of(new Program());
    var err = new StringWriter();

    assertThat(line.setErr(new PrintWriter(err)).execute()).isEqualTo(CommandLine.ExitCode.USAGE);
    assertThat(err.toString()).contains("no command given (expected: one of fail)");
  }

  private static String told(Exception failure) {
    CommandLine line = ProgramLine.of(new Program());
    Fail command = line.getSubcommands().get("fail").getCommand();
    command.failure = failure;
    var err = new StringWriter();
    assertThat(line.setErr(new PrintWriter(err)).execute("fail")).isEqualTo(ProgramLine.FAILED);
    return err.toString().replace(System.lineSeparator(), "\n");
  }
}
