package dev.towline.cli;

import dev.towline.cli.error.Errors;
import dev.towline.proto.v1.GetTreeFileRequest;
import dev.towline.proto.v1.ListTreeRequest;
import dev.towline.proto.v1.TreeFile;
import dev.towline.proto.v1.UpdateServiceGrpc.UpdateServiceBlockingStub;
import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Copies the published tree to a directory that any server of files can serve. Done again, only
 * what is new is fetched; in the order of the list a copy is whole at every moment.
 */
final class UpdateExport {
  private static final String MARK = "metadata/timestamp.json";
  private static final String ROOT = "metadata/1.root.json";

  private final Supplier<UpdateServiceBlockingStub> updates;
  private long fetched;

  UpdateExport(Supplier<UpdateServiceBlockingStub> updates) {
    this.updates = updates;
  }

  /** Bytes that had to be fetched. */
  long fetched() {
    return fetched;
  }

  int run(Path directory) {
    try {
      Files.createDirectories(directory);
      expectOwn(directory);
      List<TreeFile> tree =
          updates.get().listTree(ListTreeRequest.getDefaultInstance()).getFilesList();
      Set<Path> kept = new HashSet<>();
      for (TreeFile file : tree) {
        Path target = directory.resolve(file.getPath()).normalize();
        if (!target.startsWith(directory.normalize())) {
          throw new IOException("the manager named a file outside the tree: " + file.getPath());
        }
        kept.add(target);
        copy(directory, file, target);
      }
      removeOthers(directory, kept);
      return tree.size();
    } catch (IOException e) {
      throw new TowlineException(
          Errors.FILE_FAILED,
          "failed to write " + directory + ": " + e.getMessage(),
          "check the path, its permissions and the space there",
          e);
    }
  }

  /** Anything else in the directory would be deleted. */
  private static void expectOwn(Path directory) throws IOException {
    if (Files.exists(directory.resolve(ROOT))) {
      return;
    }
    try (Stream<Path> content = Files.list(directory)) {
      if (content.findAny().isPresent()) {
        throw new TowlineException(
            Errors.FILE_FAILED,
            directory + ": neither empty nor an earlier export",
            "name a directory of its own");
      }
    }
  }

  private void copy(Path directory, TreeFile file, Path target) throws IOException {
    boolean mutable = file.getPath().equals(MARK);
    if (!mutable && Files.exists(target) && Files.size(target) == file.getSize()) {
      return;
    }
    Files.createDirectories(target.getParent());
    Path temporary = target.resolveSibling(target.getFileName() + ".new");
    Files.deleteIfExists(temporary);
    if (file.getSameAs().isEmpty()) {
      fetch(file, temporary);
    } else {
      link(directory.resolve(file.getSameAs()), temporary);
    }
    Files.move(
        temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void link(Path content, Path name) throws IOException {
    try {
      Files.createLink(name, content);
    } catch (FileSystemException | UnsupportedOperationException _) {
      Files.copy(content, name);
    }
  }

  private void fetch(TreeFile file, Path target) throws IOException {
    long offset = 0;
    try (OutputStream out = Files.newOutputStream(target)) {
      while (offset < file.getSize()) {
        var part =
            updates
                .get()
                .getTreeFile(
                    GetTreeFileRequest.newBuilder()
                        .setPath(file.getPath())
                        .setOffset(offset)
                        .build())
                .getData();
        if (part.isEmpty()) {
          throw new IOException(file.getPath() + " became shorter while it was copied");
        }
        part.writeTo(out);
        offset += part.size();
      }
    }
    fetched += offset;
  }

  private static void removeOthers(Path directory, Set<Path> kept) throws IOException {
    List<Path> deepestFirst;
    try (Stream<Path> all = Files.walk(directory)) {
      deepestFirst = all.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path path : deepestFirst) {
      if (Files.isRegularFile(path) && !kept.contains(path.normalize())) {
        Files.delete(path);
      } else if (Files.isDirectory(path) && !path.equals(directory)) {
        try (Stream<Path> content = Files.list(path)) {
          if (content.findAny().isPresent()) {
            continue;
          }
        }
        Files.delete(path);
      }
    }
  }
}
