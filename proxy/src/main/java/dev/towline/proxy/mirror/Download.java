package dev.towline.proxy.mirror;

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
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A file that is being fetched, or that is there already. Those who want it read it while it grows.
 *
 * <p>Threading: one thread runs it, any number reads. Failure: a reader of a fetch that breaks off
 * for good gets an exception after the bytes that came.
 */
final class Download {
  private static final int CHUNK = 64 << 10;
  private static final int ATTEMPTS = 4;

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
    synchronized (this) {
      done = true;
      notifyAll();
    }
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
        case 200 -> body.skipNBytes(written);
        case 206 -> {}
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

  private synchronized void arrived(int bytes) {
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
      if (!name.endsWith(".part")) {
        throw e;
      }
      String whole = name.substring(0, name.length() - ".part".length());
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
