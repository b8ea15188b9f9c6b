package dev.towline.proxy.spool;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.ConfigureSending;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.SendingMode;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.session.AcceptedDirective;
import dev.towline.runtime.session.DirectiveEnd;
import dev.towline.runtime.session.DirectiveHandler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes the sending policy from the manager, keeps it for the next start and brings it to the
 * spool. A directory that can't be written is refused, and the policy before stays.
 *
 * <p>Threading: called on the session's thread; the work is done on the executor.
 */
public final class SendingHandler implements DirectiveHandler {
  private static final Logger log = LoggerFactory.getLogger(SendingHandler.class);
  private static final String FILE = "sending-policy";

  private final Path data;
  private final InstantSource clock;
  private final Executor worker;
  private final Consumer<SendingPolicy> apply;
  private final Consumer<String> refused;

  public SendingHandler(
      Path data,
      InstantSource clock,
      Executor worker,
      Consumer<SendingPolicy> apply,
      Consumer<String> refused) {
    this.data = data;
    this.clock = clock;
    this.worker = worker;
    this.apply = apply;
    this.refused = refused;
  }

  /** The policy that was last given; the usual one when none was. */
  public static SendingPolicy load(Path data) throws IOException {
    Path file = data.resolve(FILE);
    if (!Files.exists(file)) {
      return SendingPolicy.usual(data);
    }
    try {
      return policy(data, ConfigureSending.parseFrom(Files.readAllBytes(file)));
    } catch (InvalidProtocolBufferException e) {
      log.warn("{} can't be read and is left out: {}", file, e.getMessage());
      return SendingPolicy.usual(data);
    }
  }

  private static SendingPolicy policy(Path data, ConfigureSending given) {
    return new SendingPolicy(
        given.getMode() == SendingMode.CACHE ? SendingPolicy.Mode.CACHE : SendingPolicy.Mode.RETURN,
        Math.max(0, given.getClusterBandwidth()),
        Math.max(0, given.getProxyBandwidth()),
        Duration.ofMillis(Math.max(0, given.getFrequencyMs())),
        given.getDirectory().isEmpty() ? data.resolve("export") : Path.of(given.getDirectory()),
        given.getSizeBytes() > 0 ? given.getSizeBytes() : SendingPolicy.USUAL_SIZE);
  }

  @Override
  public boolean handles(DirectiveKind kind) {
    return kind == DirectiveKind.DIRECTIVE_KIND_CONFIGURE_SENDING;
  }

  @Override
  public void accepted(AcceptedDirective directive, Progress progress) {
    ConfigureSending given = directive.content().getConfigureSending();
    worker.execute(() -> {
      try {
        progress.started();
        SendingPolicy policy = policy(data, given);
        if (policy.mode() == SendingPolicy.Mode.CACHE) {
          Files.createDirectories(policy.directory());
          Files.delete(Files.createTempFile(policy.directory(), "towline", ".probe"));
        }
        DurableFiles.replace(data.resolve(FILE), given.toByteArray());
        apply.accept(policy);
        log.info("sending policy: {}", policy);
        progress.finished(DirectiveEnd.of(Outcome.OUTCOME_SUCCEEDED, clock.instant(), ""));
      } catch (IOException | InvalidPathException e) {
        log.warn("sending policy is not taken: {}", e.toString());
        refused.accept("the last policy was not taken, the one before holds: " + e);
        progress.finished(DirectiveEnd.of(Outcome.OUTCOME_FAILED, clock.instant(), e.toString()));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
  }
}
