package dev.towline.cli;

import com.google.protobuf.UnsafeByteOperations;
import dev.towline.cli.error.Errors;
import dev.towline.proto.v1.ListUploadsRequest;
import dev.towline.proto.v1.PublishReleaseRequest;
import dev.towline.proto.v1.Release;
import dev.towline.proto.v1.UpdateServiceGrpc.UpdateServiceBlockingStub;
import dev.towline.proto.v1.UploadFile;
import dev.towline.proto.v1.UploadPartRequest;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Brings a directory or a file to the manager and has it published. What the manager has already is
 * not sent again, so one that broke off is gone on with.
 */
final class UpdateImport {
  private static final int PART = 2 << 20;
  private static final int FILES_AT_ONCE = 10_000;

  /** Fits into one request to the manager. */
  private static final int MOST_FILES = 40_000;

  private final Supplier<UpdateServiceBlockingStub> updates;
  private long sent;

  /**
   * @param updates a stub for each call, with its own time limit
   */
  UpdateImport(Supplier<UpdateServiceBlockingStub> updates) {
    this.updates = updates;
  }

  /** Bytes that had to be sent. */
  long sent() {
    return sent;
  }

  Release run(Path source, String component, String version, boolean hold) {
    try {
      Map<UploadFile, Path> files = files(source);
      upload(files);
      return updates
          .get()
          .publishRelease(
              PublishReleaseRequest.newBuilder()
                  .setComponent(component)
                  .setVersion(version)
                  .addAllFiles(files.keySet())
                  .setHold(hold)
                  .build());
    } catch (IOException e) {
      throw new TowlineException(
          Errors.FILE_FAILED,
          "failed to read " + source + ": " + e.getMessage(),
          "check the path and its permissions",
          e);
    }
  }

  private static Map<UploadFile, Path> files(Path source) throws IOException {
    Map<UploadFile, Path> files = new LinkedHashMap<>();
    if (!Files.isDirectory(source)) {
      files.put(describe(source, String.valueOf(source.getFileName())), source);
      return files;
    }
    List<Path> all;
    try (Stream<Path> walk = Files.walk(source)) {
      all = walk.sorted().toList();
    }
    for (Path path : all) {
      if (Files.isSymbolicLink(path) || (!Files.isDirectory(path) && !Files.isRegularFile(path))) {
        throw new TowlineException(
            Errors.FILE_FAILED,
            path + ": a link or a device (expected: files and folders only)",
            "put the file itself there, or leave it out");
      }
      if (Files.isRegularFile(path)) {
        files.put(describe(path, source.relativize(path).toString()), path);
      }
    }
    if (files.size() > MOST_FILES) {
      throw new TowlineException(
          Errors.FILE_FAILED,
          "%s: %d files (expected: at most %d)".formatted(source, files.size(), MOST_FILES),
          "import it as several components");
    }
    return files;
  }

  private static UploadFile describe(Path file, String name) throws IOException {
    return UploadFile.newBuilder()
        .setPath(name)
        .setSize(Files.size(file))
        .setSha256(HexFormat.of().formatHex(Fingerprints.sha256(file)))
        .setExecutable(Files.isExecutable(file))
        .build();
  }

  private void upload(Map<UploadFile, Path> files) throws IOException {
    List<Map.Entry<UploadFile, Path>> all = new ArrayList<>(files.entrySet());
    for (int from = 0; from < all.size(); from += FILES_AT_ONCE) {
      List<Map.Entry<UploadFile, Path>> some =
          all.subList(from, Math.min(all.size(), from + FILES_AT_ONCE));
      List<Long> offsets =
          updates
              .get()
              .listUploads(
                  ListUploadsRequest.newBuilder()
                      .addAllFiles(some.stream().map(Map.Entry::getKey).toList())
                      .build())
              .getOffsetsList();
      for (int i = 0; i < some.size(); i++) {
        UploadFile file = some.get(i).getKey();
        if (offsets.get(i) < file.getSize()) {
          upload(file, some.get(i).getValue(), offsets.get(i));
        }
      }
    }
  }

  private void upload(UploadFile file, Path path, long from) throws IOException {
    try (FileChannel in = FileChannel.open(path, StandardOpenOption.READ)) {
      long offset = from;
      while (offset < file.getSize()) {
        ByteBuffer part = ByteBuffer.allocate(PART);
        while (part.hasRemaining() && in.read(part, offset + part.position()) >= 0) {
          // until it is full
        }
        part.flip();
        if (!part.hasRemaining()) {
          throw new IOException(path + " became shorter");
        }
        long next =
            updates
                .get()
                .uploadPart(
                    UploadPartRequest.newBuilder()
                        .setFile(file)
                        .setOffset(offset)
                        .setData(UnsafeByteOperations.unsafeWrap(part))
                        .build())
                .getOffset();
        sent += Math.max(0, next - offset);
        offset = next;
      }
    }
  }
}
