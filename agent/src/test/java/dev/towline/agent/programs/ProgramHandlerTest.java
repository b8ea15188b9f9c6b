package dev.towline.agent.programs;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.agent.actions.ActionRunner;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.proto.v1.Outcome;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ProgramHandlerTest {
  private final ExecutorService pipes = Executors.newCachedThreadPool();
  private final Ended ended = new Ended();

  @TempDir private Path data;
  @TempDir private Path host;
  private ProgramHandler handler;

  @BeforeEach
  void start() {
    handler =
        new ProgramHandler(
            data,
            new ActionRunner(Clock.systemUTC(), pipes),
            Clock.systemUTC(),
            Thread.ofPlatform().daemon().factory());
  }

  @AfterEach
  void stop() throws InterruptedException {
    handler.stop();
    pipes.shutdownNow();
  }

  @Test
  @Requirement("R5")
  void accepted_runsTheScript_secretOnStandardInputOnly() throws Exception {
    install(
        "relay", "IFS= read -r s; printf %s \"$s\" >" + host + "/got; ps -o args= $$; echo done");

    DirectiveEnd end = ended.await();

    assertThat(end.outcome()).as(end.detail()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(host.resolve("got")).hasContent("s3cret");
    assertThat(end.output().toStringUtf8()).endsWith("done\n").doesNotContain("s3cret");
    assertThat(ended.startedFirst).isTrue();
    assertThat(left()).as("scripts that are left").isZero();
  }

  @Test
  @Requirement("R5")
  void accepted_scriptRefuses_saysItsLastLine() throws Exception {
    install("proxy", "echo fetching; echo 'towline-proxy: not this host' >&2; exit 3");

    DirectiveEnd end = ended.await();

    assertThat(end.outcome()).isEqualTo(Outcome.OUTCOME_FAILED);
    assertThat(end.exitStatus()).isEqualTo(3);
    assertThat(end.detail()).isEqualTo("ended with status 3: towline-proxy: not this host");
    assertThat(left()).isZero();
  }

  @Test
  void accepted_anotherProgram_isNotRun() throws Exception {
    install("manager", "touch " + host + "/ran");

    assertThat(ended.await().detail()).contains("expected: proxy or relay");
    assertThat(host.resolve("ran")).doesNotExist();
  }

  @Test
  void stop_whileItRuns_isInterrupted() throws Exception {
    install("relay", "echo up; sleep 600");
    ended.said.await(60, TimeUnit.SECONDS);

    handler.stop();

    assertThat(ended.await().outcome()).isEqualTo(Outcome.OUTCOME_INTERRUPTED);
    assertThat(left()).isZero();
  }

  private void install(String program, String script) {
    handler.accepted(
        new AcceptedDirective(
            "id",
            1,
            DirectiveKind.DIRECTIVE_KIND_INSTALL_PROGRAM,
            DirectiveContent.newBuilder()
                .setInstallProgram(
                    InstallProgram.newBuilder()
                        .setProgram(program)
                        .setVersion("1.0")
                        .setScript(script + "\n")
                        .setSecret("s3cret"))
                .build()),
        ended);
  }

  private long left() throws IOException {
    try (Stream<Path> files = Files.list(data)) {
      return files.count();
    }
  }

  private static final class Ended implements DirectiveHandler.Progress {
    private final CompletableFuture<DirectiveEnd> end = new CompletableFuture<>();
    private final CountDownLatch said = new CountDownLatch(1);
    private volatile boolean started;
    private volatile boolean startedFirst;

    @Override
    public void started() {
      started = true;
    }

    @Override
    public void output(long offset, ByteString data) {
      startedFirst = started;
      said.countDown();
    }

    @Override
    public void finished(DirectiveEnd how) {
      end.complete(how);
    }

    DirectiveEnd await() throws Exception {
      return end.get(60, TimeUnit.SECONDS);
    }
  }
}
