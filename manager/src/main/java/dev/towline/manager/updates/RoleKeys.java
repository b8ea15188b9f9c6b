package dev.towline.manager.updates;

import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.updates.MetadataRole;
import dev.towline.runtime.updates.RootMetadata;
import dev.towline.runtime.updates.UpdateSigner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The repository's keys on this machine, a file for each, named by their ids. The root's may be
 * elsewhere.
 */
final class RoleKeys {
  private static final String SUFFIX = ".pem";

  private final Path directory;
  private final SecureRandom random;
  private final Map<String, UpdateSigner> signers = new TreeMap<>();

  private RoleKeys(Path directory, SecureRandom random) {
    this.directory = directory;
    this.random = random;
  }

  static RoleKeys open(Path directory, SecureRandom random) throws IOException {
    Files.createDirectories(directory);
    var keys = new RoleKeys(directory, random);
    keys.load();
    return keys;
  }

  /** Those that another manager made since. */
  void load() throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.list(directory)) {
      files = all.filter(file -> file.toString().endsWith(SUFFIX)).toList();
    }
    for (Path file : files) {
      String name = String.valueOf(file.getFileName());
      String id = name.substring(0, name.length() - SUFFIX.length());
      if (!signers.containsKey(id)) {
        signers.put(id, UpdateSigner.load(file));
      }
    }
  }

  /** A new key; it is on the disk before it is used. */
  UpdateSigner create() throws IOException {
    UpdateSigner signer = UpdateSigner.create(random);
    signer.save(file(signer.publicKey().id()));
    signers.put(signer.publicKey().id(), signer);
    return signer;
  }

  List<UpdateSigner> of(RootMetadata root, MetadataRole role) {
    return root.keys(role).byId().keySet().stream()
        .filter(signers::containsKey)
        .map(signers::get)
        .toList();
  }

  boolean canSign(RootMetadata root, MetadataRole role) {
    return of(root, role).size() >= root.keys(role).threshold();
  }

  List<UpdateSigner> enough(RootMetadata root, MetadataRole role) {
    List<UpdateSigner> here = of(root, role);
    if (here.size() < root.keys(role).threshold()) {
      throw new TowlineException(
          UpdateErrors.KEY_MISSING,
          "role %s: %d of %d keys are on this manager"
              .formatted(role.label(), here.size(), root.keys(role).threshold()),
          "for a root that is kept offline: towline updates root --help");
    }
    return here;
  }

  /** Deletes the keys of no role. */
  void forgetOthers(RootMetadata root) throws IOException {
    Set<String> used = new HashSet<>();
    for (MetadataRole role : MetadataRole.values()) {
      used.addAll(root.keys(role).byId().keySet());
    }
    for (String id : Set.copyOf(signers.keySet())) {
      if (!used.contains(id)) {
        Files.deleteIfExists(file(id));
        signers.remove(id);
      }
    }
    DurableFiles.syncDirectory(directory);
  }

  private Path file(String id) {
    return directory.resolve(id + SUFFIX);
  }
}
