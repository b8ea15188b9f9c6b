package dev.towline.proxy.mirror;

import dev.towline.runtime.updates.HttpSource;
import dev.towline.runtime.updates.PartialFile;
import dev.towline.runtime.updates.UpdateRefused;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file that is being fetched, or that is there already. Those who want it read it while it grows.
 *
 * <p>Threading: one thread runs it, any number reads. Failure: a reader of a fetch that breaks off
 * for good gets an exception after the bytes that came.
 */
final class Download {
  private static final Logger log = LoggerFactory.getLogger(Download.class);
  private static final int CHUNK = 64 << 10;
  private static final int ATTEMPTS = 4;

  /** One after the other without a byte; the pauses between them double. */
  private static final int CHECKED_ATTEMPTS = 6;

  private static final long FIRST_PAUSE_NANOS = 250_000_000;

  /** What gives nothing for so long is broken off and asked for again. */
  private static final long SILENCE_NANOS = 20_000_000_000L;

  private static final int OK = 200;
  private static final int PARTIAL = 206;

  private final Path file;
  private final long size;
  private long written;
  private @Nullable String failure;
  private boolean open;
  private boolean done;

  Download(Path file, long size) {
    this.file = file;
    this.size = size;
  }

  static Download complete(Path file) {
    try {
      var download = new Download(file, Files.size(file));
      download.written = download.size;
      download.done = true;
      return download;
    } catch (IOException e) {
      throw new UncheckedIOException("failed to look at " + file, e);
    }
  }

  long size() {
    return size;
  }

  /** Fetches it; returns when all of it is on the disk. */
  void run(ManagerSite site, String target, String validator)
      throws IOException, InterruptedException {
    try (FileChannel out =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      opened();
      IOException last = new EOFException("nothing came");
      for (int attempt = 0; attempt < ATTEMPTS && written < size; attempt++) {
        try {
          fetch(site, target, validator, out);
        } catch (IOException e) {
          last = e;
        }
      }
      if (written < size) {
        throw last;
      }
      out.force(true);
    }
    finished();
  }

  /**
   * Fetches what has this hash, from where an earlier try broke off; returns when all of it is on
   * the disk and right. What came stays when it breaks off again.
   *
   * @param authorization empty for none
   */
  void runChecked(
      ManagerSite site, String target, String authorization, String sha256, HttpSource.Pause pause)
      throws IOException, UpdateRefused, InterruptedException {
    try (PartialFile out = PartialFile.open(file, size, sha256)) {
      arrived(out.offset());
      opened();
      int failures = 0;
      while (!out.isWhole()) {
        long before = out.offset();
        try {
          goOn(site, target, authorization, out, pause);
        } catch (IOException e) {
          failures = out.offset() > before ? 1 : failures + 1;
          if (failures == CHECKED_ATTEMPTS) {
            throw e;
          }
          pause.nanos(FIRST_PAUSE_NANOS << (failures - 1));
        }
      }
      out.complete();
    }
    finished();
  }

  private void goOn(
      ManagerSite site,
      String target,
      String authorization,
      PartialFile out,
      HttpSource.Pause pause)
      throws IOException, UpdateRefused, InterruptedException {
    Map<String, String> headers = new HashMap<>();
    long offset = out.offset();
    if (offset > 0) {
      headers.put("Range", "bytes=" + offset + "-");
    }
    if (!authorization.isEmpty()) {
      headers.put(ManagerSite.AUTHORIZATION, authorization);
    }
    HttpResponse<InputStream> response = site.ask("GET", target, headers);
    try (InputStream body = response.body()) {
      Thread watch = Thread.ofVirtual().start(() -> endWhenSilent(body, pause));
      try {
        switch (response.statusCode()) {
          case OK -> body.skipNBytes(offset);
          case PARTIAL -> expectRange(response, offset);
          default -> throw new IOException("the manager answered " + response.statusCode());
        }
        byte[] buffer = new byte[CHUNK];
        for (int read = body.read(buffer); read >= 0; read = body.read(buffer)) {
          out.write(ByteBuffer.wrap(buffer, 0, read));
          arrived(read);
        }
      } finally {
        watch.interrupt();
      }
    }
    if (!out.isWhole()) {
      throw new EOFException("%d of %d bytes came".formatted(out.offset(), size));
    }
  }

  private static void expectRange(HttpResponse<?> response, long offset) throws IOException {
    String range = response.headers().firstValue("Content-Range").orElse("");
    if (!range.startsWith("bytes " + offset + "-")) {
      throw new IOException("another part than the one asked for: " + range);
    }
  }

  private void endWhenSilent(InputStream body, HttpSource.Pause pause) {
    try {
      long seen;
      do {
        seen = written();
        pause.nanos(SILENCE_NANOS);
      } while (written() > seen);
      body.close();
    } catch (InterruptedException _) {
      // It came to its end.
    } catch (IOException e) {
      log.debug("a silent transfer can't be closed", e);
    }
  }

  private synchronized void finished() {
    done = true;
    notifyAll();
  }

  private synchronized long written() {
    return written;
  }

  private void fetch(ManagerSite site, String target, String validator, FileChannel out)
      throws IOException, InterruptedException {
    Map<String, String> headers =
        written == 0
            ? Map.of()
            : validator.isEmpty()
                ? Map.of("Range", "bytes=" + written + "-")
                : Map.of("Range", "bytes=" + written + "-", "If-Range", validator);
    HttpResponse<InputStream> response = site.ask("GET", target, headers);
    try (InputStream body = response.body()) {
      String now =
          response
              .headers()
              .firstValue("ETag")
              .or(() -> response.headers().firstValue("Last-Modified"))
              .orElse("");
      if (!now.equals(validator)) {
        throw new IOException("it changed while it was fetched");
      }
      switch (response.statusCode()) {
        case OK -> body.skipNBytes(written);
        case PARTIAL -> {}
        default -> throw new IOException("the manager answered " + response.statusCode());
      }
      byte[] buffer = new byte[CHUNK];
      for (int read = body.read(buffer); read >= 0; read = body.read(buffer)) {
        if (written + read > size) {
          throw new IOException("more came than the %d bytes announced".formatted(size));
        }
        ByteBuffer chunk = ByteBuffer.wrap(buffer, 0, read);
        while (chunk.hasRemaining()) {
          out.write(chunk);
        }
        arrived(read);
      }
    }
    if (written < size) {
      throw new EOFException("%d of %d bytes came".formatted(written, size));
    }
  }

  private synchronized void opened() {
    open = true;
    notifyAll();
  }

  private synchronized void arrived(long bytes) {
    written += bytes;
    notifyAll();
  }

  synchronized void fail(String reason) {
    failure = reason;
    notifyAll();
  }

  /** Copies a part to a reader, as fast as both sides allow. */
  void copyTo(OutputStream out, ByteRange range) throws IOException, InterruptedException {
    awaitOpen();
    try (FileChannel in = open()) {
      ByteBuffer buffer = ByteBuffer.allocate(CHUNK);
      long at = range.first();
      while (at <= range.last()) {
        long available = awaitBeyond(at);
        buffer.clear();
        buffer.limit((int) Math.min(CHUNK, Math.min(available, range.last() + 1) - at));
        int read = in.read(buffer, at);
        if (read < 0) {
          throw new EOFException(file + " is shorter than it should be");
        }
        out.write(buffer.array(), 0, read);
        at += read;
      }
    }
  }

  /** The file, under the name it has by now. */
  private FileChannel open() throws IOException {
    try {
      return FileChannel.open(file, StandardOpenOption.READ);
    } catch (NoSuchFileException e) {
      String name = String.valueOf(file.getFileName());
      if (!name.endsWith(CopyStore.PART)) {
        throw e;
      }
      String whole = name.substring(0, name.length() - CopyStore.PART.length());
      return FileChannel.open(file.resolveSibling(whole), StandardOpenOption.READ);
    }
  }

  private synchronized void awaitOpen() throws IOException, InterruptedException {
    while (!open && !done) {
      if (failure != null) {
        throw new IOException(failure);
      }
      wait();
    }
  }

  private synchronized long awaitBeyond(long at) throws IOException, InterruptedException {
    while (written <= at) {
      if (failure != null) {
        throw new IOException(failure);
      }
      wait();
    }
    return written;
  }
}
