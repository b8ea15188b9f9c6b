package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.cli.login.LoginStore;
import dev.towline.runtime.identity.Fingerprints;
import io.grpc.BindableService;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** The command line with a faked manager behind it; what it writes is kept until forgotten. */
final class TestCli implements AutoCloseable {
  static final long NOW = 1_000_000_000_000L;

  final FakeAdmin manager;
  private final Path directory;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final CliContext context;
  private Optional<String> answer = Optional.empty();

  /**
   * @param directory takes what the command line keeps
   * @param more services that a test scripts itself
   */
  TestCli(Path directory, BindableService... more) throws IOException {
    InstantSource clock = InstantSource.fixed(Instant.ofEpochMilli(NOW));
    manager = new FakeAdmin(clock, more);
    this.directory = directory;
    context =
        new CliContext(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            Map.of(),
            clock,
            new LoginStore(directory.resolve("config")),
            manager,
            new Operator());
  }

  /** From now on somebody is at the keyboard and answers every question with this. */
  void answer(String always) {
    answer = Optional.of(always);
  }

  /** Signed in, with nobody at the keyboard. */
  static TestCli signedIn(Path directory, BindableService... more) throws IOException {
    var cli = new TestCli(directory, more);
    cli.signIn();
    return cli;
  }

  /** Signs in with the right fingerprint and forgets what was said. */
  void signIn() throws IOException {
    assertThat(login("--ca-fingerprint", fingerprint())).isZero();
    forget();
  }

  int login(String... more) throws IOException {
    Path password = Files.writeString(directory.resolve("password"), FakeAdmin.PASSWORD + "\n");
    var command =
        Stream.of("login", "https://manager:8444", "--password-file", password.toString());
    return run(Stream.concat(command, Stream.of(more)).toArray(String[]::new));
  }

  /** The exit code of {@code towline} with these arguments. */
  int run(String... arguments) {
    return TowlineCommand.run(context, arguments);
  }

  String output() {
    return out.toString(StandardCharsets.UTF_8);
  }

  String errors() {
    return err.toString(StandardCharsets.UTF_8);
  }

  void forget() {
    out.reset();
    err.reset();
  }

  /** Of the manager's root certificate. */
  String fingerprint() {
    return Fingerprints.of(manager.chain.getLast());
  }

  @Override
  public void close() {
    manager.close();
  }

  /** Gives the same answer to every question, or isn't there. */
  private final class Operator implements Terminal {
    @Override
    public boolean isPresent() {
      return answer.isPresent();
    }

    @Override
    public Optional<String> ask(String question) {
      return answer;
    }

    @Override
    public Optional<String> askSecret(String question) {
      return Optional.empty();
    }
  }
}
