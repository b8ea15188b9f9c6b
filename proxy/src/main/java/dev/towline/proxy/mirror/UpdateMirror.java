package dev.towline.proxy.mirror;

import dev.towline.proxy.mirror.SmallAnswers.Answer;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.updates.HttpSource;
import dev.towline.runtime.updates.UpdateRefused;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Updates as the manager publishes them, each file fetched once however many ask. Files named by
 * their content are checked and kept; metadata is asked for again after two seconds, and kept for
 * when no manager answers.
 *
 * <p>Threading: safe for use by several threads; calls block. Failure: a fetch that breaks off is
 * gone on with, by the next process too; what has no room on the disk is passed on.
 */
public final class UpdateMirror {
  private static final Logger log = LoggerFactory.getLogger(UpdateMirror.class);
  private static final String TIMESTAMP = "timestamp.json";
  private static final int TREE_BYTES = 8;
  private static final int OK = 200;
  private static final int UNAUTHORIZED = 401;
  private static final int NOT_FOUND = 404;

  private final ManagerSite site;
  private final Executor threads;
  private final HttpSource.Pause pause;
  private final CopyStore store;
  private final Admissions admissions;
  private final SmallAnswers answers;
  private final Map<String, Download> downloads = new HashMap<>();

  /**
   * @param limit bytes on the disk
   * @param threads one may block on each, such as virtual threads
   */
  public UpdateMirror(
      Path directory,
      long limit,
      ManagerSite site,
      Executor threads,
      InstantSource clock,
      LongSupplier nanoTime,
      HttpSource.Pause pause,
      SecureRandom random)
      throws IOException {
    this.site = site;
    this.threads = threads;
    this.pause = pause;
    this.store = new CopyStore(directory.resolve("copies"), limit, clock);
    this.admissions = new Admissions(directory.resolve("admitted"), nanoTime, random);
    this.answers = new SmallAnswers(site, nanoTime);
  }

  /** What came of asking for a file. */
  sealed interface Found {
    /** A copy, possibly still growing. */
    record Copy(Download download) implements Found {}

    record Text(byte[] content) implements Found {}

    /** The manager's own answer. */
    record Status(int code, String challenge) implements Found {}

    /** The manager has to be asked each time. */
    record NotKept() implements Found {}

    /** No manager answers and there is nothing to show. */
    record Unreachable(String reason) implements Found {}
  }

  /**
   * @param target the path as it is on the wire
   * @param authorization as the request has it; empty for none
   */
  Found content(TreePath.Content wanted, String target, String authorization)
      throws IOException, InterruptedException {
    if (admissions.isFresh(wanted.tree(), authorization)) {
      Optional<Found> here = here(wanted.sha256());
      if (here.isPresent()) {
        return here.get();
      }
    }
    Answer head;
    try {
      head = answers.ask("HEAD", target, authorization);
    } catch (IOException e) {
      Optional<Found> here =
          admissions.isKnown(wanted.tree(), authorization)
              ? here(wanted.sha256())
              : Optional.empty();
      return here.orElseGet(() -> new Found.Unreachable(String.valueOf(e.getMessage())));
    }
    judge(head, wanted.tree(), authorization);
    if (head.status() != OK) {
      return new Found.Status(head.status(), head.challenge());
    }
    if (head.length().isEmpty()) {
      return new Found.NotKept();
    }
    return fetched(wanted.sha256(), head.length().getAsLong(), target, authorization);
  }

  private void judge(Answer answer, String tree, String authorization) {
    if (answer.status() == OK) {
      admissions.admitted(tree, authorization);
    } else if (answer.status() == UNAUTHORIZED) {
      admissions.refused(tree, authorization);
    }
  }

  private Optional<Found> here(String sha256) throws IOException {
    Optional<Path> whole = store.content(sha256);
    if (whole.isPresent()) {
      return Optional.of(new Found.Copy(Download.complete(whole.get())));
    }
    synchronized (downloads) {
      return Optional.ofNullable(downloads.get(sha256)).map(Found.Copy::new);
    }
  }

  private Found fetched(String sha256, long size, String target, String authorization)
      throws IOException {
    // Outside of the lock, because the first look at a copy reads all of it.
    Optional<Found> early = here(sha256);
    if (early.isPresent()) {
      return early.get();
    }
    synchronized (downloads) {
      Optional<Found> here = here(sha256);
      if (here.isPresent()) {
        return here.get();
      }
      long announced = downloads.values().stream().mapToLong(Download::size).sum();
      Set<String> busy = new HashSet<>();
      downloads.keySet().forEach(name -> busy.add(name + CopyStore.PART));
      busy.add(sha256 + CopyStore.PART);
      if (!store.makeRoom(size, busy, announced)) {
        return new Found.NotKept();
      }
      var started = new Download(store.part(sha256), size);
      downloads.put(sha256, started);
      threads.execute(() -> fetch(sha256, target, authorization, started));
      return new Found.Copy(started);
    }
  }

  private void fetch(String sha256, String target, String authorization, Download download) {
    try {
      download.runChecked(site, target, authorization, sha256, pause);
      synchronized (downloads) {
        store.take(sha256, download.size());
        downloads.remove(sha256);
      }
      store.sync();
    } catch (IOException | UpdateRefused | UncheckedIOException e) {
      log.warn("update {} can't be mirrored: {}", target, e.getMessage());
      download.fail(String.valueOf(e.getMessage()));
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      download.fail("the proxy stops");
    } finally {
      synchronized (downloads) {
        downloads.remove(sha256, download);
      }
    }
  }

  /**
   * Metadata as it is now, or was when a manager answered last.
   *
   * @param target the path as it is on the wire
   * @param authorization as the request has it; empty for none
   */
  Found metadata(TreePath.Metadata wanted, String target, String authorization)
      throws IOException, InterruptedException {
    Answer answer;
    try {
      answer = answers.ask("GET", target, authorization);
    } catch (IOException e) {
      return kept(wanted, authorization)
          .orElseGet(() -> new Found.Unreachable(String.valueOf(e.getMessage())));
    }
    judge(answer, wanted.tree(), authorization);
    if (answer.status() != OK) {
      return new Found.Status(answer.status(), answer.challenge());
    }
    keep(wanted, answer.body());
    return new Found.Text(answer.body());
  }

  private void keep(TreePath.Metadata wanted, byte[] content) {
    try {
      synchronized (downloads) {
        store.write(name(wanted.tree(), wanted.name()), content);
      }
    } catch (IOException e) {
      log.warn("{} can't be kept: {}", wanted.name(), e.toString());
    }
  }

  private Optional<Found> kept(TreePath.Metadata wanted, String authorization) throws IOException {
    if (!admissions.isKnown(wanted.tree(), authorization)) {
      return Optional.empty();
    }
    Optional<byte[]> content = store.read(name(wanted.tree(), wanted.name()));
    if (content.isPresent()) {
      return content.map(Found.Text::new);
    }
    // A host asks whether there is another root; as far as is known here, there is none.
    return wanted.isRoot() && store.read(name(wanted.tree(), TIMESTAMP)).isPresent()
        ? Optional.of(new Found.Status(NOT_FOUND, ""))
        : Optional.empty();
  }

  /** A name for each tree's file. */
  private static String name(String tree, String file) {
    byte[] hash = Fingerprints.sha256(tree.getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(hash, 0, TREE_BYTES) + "~" + file;
  }
}
