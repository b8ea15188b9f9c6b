package dev.towline.agent.firewall;

import dev.towline.runtime.firewall.FirewallDocument;
import dev.towline.runtime.firewall.FirewallRules;
import dev.towline.runtime.identity.DurableFiles;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The firewall's directory: what the guard works with when no agent runs.
 *
 * <pre>
 * guard.sh  off.nft   written with the first set
 * confirmed          id of the set that is in force and is loaded at boot
 * pending-ID         applied and not confirmed
 * reverted-ID        taken back; why
 * bad                id of the policy's set that was taken back
 * sets/ID/           rules.yaml, listening, apply.nft, revert.nft; with .sh where iptables is used
 * snapshots/TIME/    what others had before a change
 * </pre>
 */
final class FirewallFiles {
  private static final int KEPT_SNAPSHOTS = 10;

  private final Path directory;

  FirewallFiles(Path directory) {
    this.directory = directory;
  }

  /** A set that was taken back. */
  record Reverted(String id, String reason) {}

  Path directory() {
    return directory;
  }

  Path guard() {
    return directory.resolve("guard.sh");
  }

  boolean exist() {
    return Files.exists(guard());
  }

  void create() throws IOException {
    Files.createDirectories(directory.resolve("sets"));
    Files.createDirectories(directory.resolve("snapshots"));
    try (InputStream script =
        Objects.requireNonNull(FirewallFiles.class.getResourceAsStream("guard.sh"))) {
      DurableFiles.replace(guard(), script.readAllBytes());
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** Notes what takes away everything of ours that may be there. */
  void off(Filter.Kind kind, String text) throws IOException {
    write("off." + kind.suffix(), text);
  }

  /**
   * @param listening where the agent listens, for rules that don't say it
   */
  void saveSet(
      String id, Filter.Kind kind, String rules, int listening, String apply, String revert)
      throws IOException {
    Files.createDirectories(set(id));
    write("sets/" + id + "/listening", listening + "\n");
    write("sets/" + id + "/rules.yaml", rules);
    write("sets/" + id + "/apply." + kind.suffix(), apply);
    write("sets/" + id + "/revert." + kind.suffix(), revert);
  }

  /** The rules as they were written. */
  String document(String id) throws IOException {
    return Files.readString(set(id).resolve("rules.yaml"));
  }

  FirewallRules rules(String id) throws IOException {
    Path listening = set(id).resolve("listening");
    return FirewallDocument.parse(
        document(id),
        Files.exists(listening) ? Integer.parseInt(Files.readString(listening).strip()) : 0);
  }

  String apply(String id) throws IOException {
    for (Filter.Kind kind : Filter.Kind.values()) {
      Path file = set(id).resolve("apply." + kind.suffix());
      if (Files.exists(file)) {
        return Files.readString(file);
      }
    }
    throw new IOException("set " + id + " is not complete");
  }

  Optional<String> confirmed() throws IOException {
    try {
      return Optional.of(Files.readString(directory.resolve("confirmed")).strip());
    } catch (NoSuchFileException _) {
      return Optional.empty();
    }
  }

  void pend(String id) throws IOException {
    write("pending-" + id, id + "\n");
  }

  boolean isArmed(String id) {
    return Files.exists(directory.resolve("armed-" + id));
  }

  /** False when the guard was first: the set has been taken back. */
  boolean confirm(String id) throws IOException {
    try {
      Files.move(
          directory.resolve("pending-" + id),
          directory.resolve("confirmed"),
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
    } catch (NoSuchFileException _) {
      return false;
    }
    DurableFiles.syncDirectory(directory);
    prune(id);
    return true;
  }

  /** Id of the policy's set that was taken back last; empty when none was. */
  String bad() throws IOException {
    Path file = directory.resolve("bad");
    return Files.exists(file) ? Files.readString(file).strip() : "";
  }

  void noteBad(String id) throws IOException {
    write("bad", id + "\n");
  }

  /** Ends a set that never came into force. */
  void reject(String id) throws IOException {
    Files.deleteIfExists(directory.resolve("pending-" + id));
  }

  /** Nothing is loaded at boot any more. */
  void forget() throws IOException {
    Files.deleteIfExists(directory.resolve("confirmed"));
    DurableFiles.syncDirectory(directory);
  }

  List<String> pending() throws IOException {
    return named("pending-");
  }

  /** What was taken back and not yet reported; gives each once. */
  List<Reverted> takeReverted() throws IOException {
    List<Reverted> taken = new ArrayList<>();
    for (String id : named("reverted-")) {
      Path file = directory.resolve("reverted-" + id);
      taken.add(new Reverted(id, Files.readString(file).strip()));
      Files.delete(file);
    }
    return taken;
  }

  Path snapshots() {
    return directory.resolve("snapshots");
  }

  void snapshot(String name, ForeignRules foreign) throws IOException {
    foreign.save(snapshots().resolve(name));
    List<Path> all = listed(snapshots());
    for (Path old : all.subList(0, Math.max(0, all.size() - KEPT_SNAPSHOTS))) {
      delete(old);
    }
  }

  private Path set(String id) {
    return directory.resolve("sets").resolve(id);
  }

  /** Sets that are neither in force nor under way are of no use. */
  private void prune(String kept) throws IOException {
    for (Path set : listed(directory.resolve("sets"))) {
      if (!set.getFileName().toString().equals(kept)) {
        delete(set);
      }
    }
  }

  private List<String> named(String prefix) throws IOException {
    return listed(directory).stream()
        .map(path -> path.getFileName().toString())
        .filter(name -> name.startsWith(prefix) && !name.endsWith(".new"))
        .map(name -> name.substring(prefix.length()))
        .toList();
  }

  private void write(String name, String text) throws IOException {
    DurableFiles.replace(directory.resolve(name), text.getBytes(StandardCharsets.UTF_8));
  }

  private static List<Path> listed(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.sorted().toList();
    }
  }

  private static void delete(Path directory) throws IOException {
    for (Path file : listed(directory)) {
      Files.delete(file);
    }
    Files.delete(directory);
  }
}
