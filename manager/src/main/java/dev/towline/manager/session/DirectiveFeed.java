package dev.towline.manager.session;

import com.google.protobuf.ByteString;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.proto.v1.Directive;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveReceipt;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.proto.v1.Skip;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.NodeIdentity;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a target's queue to it, in order and without gaps, ahead of its receipts. What expired or
 * was withdrawn is replaced by a signed skip. Belongs to the session's serial executor.
 */
final class DirectiveFeed {
  private static final Logger log = LoggerFactory.getLogger(DirectiveFeed.class);
  private static final Duration SKIP_LIFETIME = Duration.ofMinutes(10);
  private static final String EXPIRED = "DIRECTIVE_EXPIRED";

  private final NodeIdentity target;
  private final ByteString nonce;
  private final long generation;
  private final SessionServices services;
  private final SessionWrites writes;
  private final SessionLink link;
  private final Consumer<Runnable> serial;
  private long sent;
  private long accepted;
  private boolean loading;
  private boolean loadAgain;

  DirectiveFeed(
      NodeIdentity target,
      ByteString nonce,
      long generation,
      long accepted,
      SessionServices services,
      SessionWrites writes,
      SessionLink link,
      Consumer<Runnable> serial) {
    this.target = target;
    this.nonce = nonce;
    this.generation = generation;
    this.sent = accepted;
    this.accepted = accepted;
    this.services = services;
    this.writes = writes;
    this.link = link;
    this.serial = serial;
  }

  /**
   * @param waiting read before the session was known to be live
   */
  void begin(List<QueuedDirective> waiting) {
    sendAll(waiting);
    // What was queued between that read and now told nobody.
    load();
  }

  /** Just committed; anything that does not follow what was sent is read from the store. */
  void offer(Collection<QueuedDirective> directives) {
    for (QueuedDirective directive : directives) {
      if (directive.sequence() == sent + 1
          && directive.state() == DirectiveState.DELIVERED
          && !loading
          && sent - accepted < SessionOpening.WINDOW) {
        send(directive);
      } else if (directive.sequence() > sent) {
        load();
      }
    }
  }

  void fetch(long after) {
    sent = Math.clamp(after, 0, sent);
    load();
  }

  void receipt(DirectiveReceipt receipt) {
    long sequence = receipt.getSequence();
    if (sequence > sent || sequence <= 0) {
      log.debug("{} gave a receipt for {}, which it was not sent", target, sequence);
      return;
    }
    switch (receipt.getVerdict()) {
      case ACCEPTED -> {
        accepted = Math.max(accepted, sequence);
        writes.add(
            tx -> {
              tx.sessions().accepted(target.id(), generation, sequence);
              tx.directives().accepted(target.id(), sequence);
            },
            () -> {
              services.actions().changed(receipt.getDirectiveId());
              if (sent - accepted < SessionOpening.WINDOW / 2) {
                loadIfMore();
              }
            });
      }
      case STARTED ->
          writes.add(
              tx -> tx.directives().advance(target.id(), sequence, DirectiveState.RUNNING, ""),
              () -> services.actions().changed(receipt.getDirectiveId()));
      case REFUSED -> refused(receipt);
      case VERDICT_UNSPECIFIED, UNRECOGNIZED -> log.debug("receipt of an unknown verdict");
    }
  }

  /**
   * Only lateness is final for a directive: whatever else the receiver refused came from somebody
   * else, or will be sent again, and it reports that as an event of its own.
   */
  private void refused(DirectiveReceipt receipt) {
    log.warn(
        "{} refused directive {} ({}): {}: {}",
        target,
        receipt.getSequence(),
        receipt.getDirectiveId(),
        receipt.getCode(),
        receipt.getDetail());
    long sequence = receipt.getSequence();
    if (receipt.getCode().equals(EXPIRED) && sequence > accepted) {
      writes.add(
          tx ->
              tx.directives()
                  .advance(target.id(), sequence, DirectiveState.EXPIRED, receipt.getDetail()),
          () -> {
            services.actions().changed(receipt.getDirectiveId());
            fetch(sequence - 1);
          });
    }
  }

  private void loadIfMore() {
    if (windowWasFull) {
      load();
    }
  }

  private boolean windowWasFull;

  private void load() {
    if (loading) {
      loadAgain = true;
      return;
    }
    long room = SessionOpening.WINDOW - (sent - accepted);
    if (room <= 0) {
      windowWasFull = true;
      return;
    }
    windowWasFull = false;
    loading = true;
    long after = sent;
    // Read first: most often there is nothing, and nothing to write.
    services
        .executor()
        .execute(() -> {
          List<QueuedDirective> found = read(after, (int) room);
          serial.accept(() -> loaded(after, found, (int) room));
        });
  }

  private List<QueuedDirective> read(long after, int room) {
    try {
      List<QueuedDirective> found =
          services.store().read(tx -> tx.directives().after(target.id(), after, room));
      if (found.stream().anyMatch(d -> d.state() == DirectiveState.QUEUED)) {
        long last = found.getLast().sequence();
        return services
            .store()
            .commit(tx -> {
              tx.directives().delivered(target.id(), last);
              return tx.directives().after(target.id(), after, room);
            });
      }
      return found;
    } catch (RuntimeException e) {
      log.error("directives of {} can't be read", target, e);
      return List.of();
    }
  }

  private void loaded(long after, List<QueuedDirective> found, int room) {
    loading = false;
    if (after <= sent) {
      sendAll(found);
    }
    if (found.size() >= room) {
      windowWasFull = true;
    }
    if (loadAgain) {
      loadAgain = false;
      load();
    }
  }

  private void sendAll(List<QueuedDirective> directives) {
    for (QueuedDirective directive : directives) {
      if (directive.sequence() == sent + 1) {
        send(directive);
      }
    }
  }

  private void send(QueuedDirective directive) {
    sent = directive.sequence();
    long now = services.clock().millis();
    boolean withdrawn = isOver(directive.state());
    boolean late = directive.expiresMs() <= now;
    if (!withdrawn && !late) {
      link.send(
          frame(
              directive,
              directive.kind(),
              directive.content(),
              directive.createdMs(),
              directive.expiresMs()));
      return;
    }
    String reason = withdrawn ? "withdrawn" : "expired before it was delivered";
    ByteString skip =
        DirectiveContent.newBuilder()
            .setSkip(Skip.newBuilder().setReason(reason))
            .build()
            .toByteString();
    link.send(
        frame(
            directive,
            DirectiveKind.DIRECTIVE_KIND_SKIP,
            skip,
            now,
            now + SKIP_LIFETIME.toMillis()));
    if (!withdrawn) {
      writes.add(
          tx ->
              tx.directives()
                  .advance(target.id(), directive.sequence(), DirectiveState.EXPIRED, reason),
          () -> services.actions().changed(directive.id()));
    }
  }

  private ManagerFrame frame(
      QueuedDirective directive,
      DirectiveKind kind,
      ByteString content,
      long notBeforeMs,
      long expiresMs) {
    Directive statement =
        Directive.newBuilder()
            .setId(directive.id())
            .setTarget(target.uri())
            .setSequence(directive.sequence())
            .setPredecessor(directive.sequence() - 1)
            .setNotBeforeMs(notBeforeMs)
            .setExpiresMs(expiresMs)
            .setKind(kind)
            .setContentSha256(ByteString.copyFrom(Fingerprints.sha256(content.toByteArray())))
            .setSessionNonce(nonce)
            .build();
    SignedDirective signed = services.fleet().signer().sign(statement, content);
    return ManagerFrame.newBuilder().setDirective(signed).build();
  }

  private static boolean isOver(DirectiveState state) {
    return switch (state) {
      case ENDED, EXPIRED, REFUSED -> true;
      case QUEUED, DELIVERED, ACCEPTED, RUNNING -> false;
    };
  }
}
