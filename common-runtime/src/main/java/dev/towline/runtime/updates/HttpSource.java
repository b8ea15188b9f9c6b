package dev.towline.runtime.updates;

import dev.towline.runtime.updates.UpdateRefused.Reason;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Optional;
import java.util.function.LongSupplier;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * A repository behind an HTTP or HTTPS address: a manager, a proxy, or any server of files. It
 * knows where it was sent, and follows nobody elsewhere with its password.
 *
 * <p>On the JDK's plain connections: one serves for many files, and is closed after some seconds,
 * so an agent that asks once an hour pays nothing in between.
 *
 * <p>Threading: safe for use by several threads; calls block. Failure: an {@link IOException} with
 * one line of reason; a source that gives too little is {@link Reason#SLOW}.
 */
public final class HttpSource implements RepositorySource {
  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(10);
  private static final Duration SILENCE_LIMIT = Duration.ofSeconds(20);
  private static final Duration SMALL_FILE_LIMIT = Duration.ofSeconds(60);
  private static final int CHUNK = 64 << 10;
  private static final int OK = 200;
  private static final int PARTIAL = 206;
  private static final int UNAUTHORIZED = 401;
  private static final int FORBIDDEN = 403;
  private static final int NOT_FOUND = 404;
  private static final int GONE = 410;
  private static final int RANGE_WRONG = 416;
  private static final int REDIRECT = 300;
  private static final int CLIENT_ERROR = 400;

  private final String address;
  private final String authorization;
  private final @Nullable SSLSocketFactory tls;
  private final LongSupplier nanoTime;
  private final Pause pause;

  /** Waits. */
  public interface Pause {
    void nanos(long nanos) throws InterruptedException;
  }

  /**
   * @param address http or https, see {@link #isAddress}
   * @param user empty for none
   * @param tls null for the platform's
   */
  public HttpSource(
      String address,
      String user,
      String password,
      @Nullable SSLSocketFactory tls,
      LongSupplier nanoTime,
      Pause pause) {
    if (!isAddress(address)) {
      throw new IllegalArgumentException("address: " + address + " (expected: http or https)");
    }
    this.address = address.endsWith("/") ? address : address + "/";
    this.authorization =
        user.isEmpty()
            ? ""
            : "Basic "
                + Base64.getEncoder()
                    .encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
    this.tls = tls;
    this.nanoTime = nanoTime;
    this.pause = pause;
  }

  /** Whether files can be asked for below it: with a host, without user, query and fragment. */
  public static boolean isAddress(String address) {
    try {
      URI uri = new URI(address);
      return ("http".equalsIgnoreCase(uri.getScheme()) || "https".equalsIgnoreCase(uri.getScheme()))
          && uri.getHost() != null
          && uri.getRawUserInfo() == null
          && uri.getRawQuery() == null
          && uri.getRawFragment() == null;
    } catch (URISyntaxException _) {
      return false;
    }
  }

  @Override
  public String name() {
    return address;
  }

  @Override
  public Optional<byte[]> fetch(String path, long limit) throws IOException, UpdateRefused {
    HttpURLConnection connection = connect(path);
    boolean ended = false;
    try {
      int status = status(connection, path);
      if (status == NOT_FOUND || status == GONE) {
        return Optional.empty();
      }
      expect(status == OK, status, path);
      var content = new ByteArrayOutputStream();
      long end = nanoTime.getAsLong() + SMALL_FILE_LIMIT.toNanos();
      byte[] buffer = new byte[CHUNK];
      try (InputStream in = connection.getInputStream()) {
        while (content.size() <= limit) {
          int most = (int) Math.min(buffer.length, limit + 1 - content.size());
          int read = in.read(buffer, 0, most);
          if (read < 0) {
            ended = true;
            break;
          }
          content.write(buffer, 0, read);
          if (nanoTime.getAsLong() - end > 0) {
            throw new UpdateRefused(
                Reason.SLOW,
                "%s: not there within %d s".formatted(path, SMALL_FILE_LIMIT.toSeconds()));
          }
        }
      }
      return Optional.of(content.toByteArray());
    } finally {
      if (!ended) {
        connection.disconnect();
      }
    }
  }

  @Override
  public void copy(String path, PartialFile file, TransferPace pace)
      throws IOException, UpdateRefused, InterruptedException {
    HttpURLConnection connection = connect(path);
    boolean ended = false;
    long offset = file.offset();
    if (offset > 0) {
      connection.setRequestProperty("Range", "bytes=" + offset + "-");
    }
    try {
      int status = status(connection, path);
      if (status == NOT_FOUND || status == GONE) {
        throw new UpdateRefused(Reason.MISSING, path + ": not there");
      }
      if (status == RANGE_WRONG) {
        file.restart();
        throw new IOException(path + ": the part that is missing is not there");
      }
      if (status == PARTIAL) {
        String range = connection.getHeaderField("Content-Range");
        if (offset == 0 || range == null || !range.startsWith("bytes " + offset + "-")) {
          throw new IOException(path + ": another part than the one asked for");
        }
      } else {
        expect(status == OK, status, path);
        if (offset > 0) {
          file.restart();
        }
      }
      receive(connection, path, file, pace);
      ended = true;
    } finally {
      if (!ended) {
        connection.disconnect();
      }
    }
  }

  private void receive(
      HttpURLConnection connection, String path, PartialFile file, TransferPace pace)
      throws IOException, UpdateRefused, InterruptedException {
    byte[] buffer = new byte[CHUNK];
    pace.start(nanoTime.getAsLong());
    try (InputStream in = connection.getInputStream()) {
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        file.write(ByteBuffer.wrap(buffer, 0, read));
        long wait = pace.received(read, nanoTime.getAsLong());
        if (wait > 0) {
          pause.nanos(wait);
        }
        if (pace.isTooSlow(nanoTime.getAsLong())) {
          throw new UpdateRefused(Reason.SLOW, path + ": it comes slower than the policy asks for");
        }
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
      }
    }
  }

  private HttpURLConnection connect(String path) throws IOException {
    URI uri = URI.create(address + RepositoryPaths.encode(path));
    if (!(uri.toURL().openConnection() instanceof HttpURLConnection connection)) {
      throw new IOException(address + ": neither http nor https");
    }
    if (connection instanceof HttpsURLConnection https && tls != null) {
      https.setSSLSocketFactory(tls);
    }
    connection.setConnectTimeout((int) CONNECT_LIMIT.toMillis());
    connection.setReadTimeout((int) SILENCE_LIMIT.toMillis());
    connection.setInstanceFollowRedirects(false);
    connection.setUseCaches(false);
    connection.setRequestProperty("Accept-Encoding", "identity");
    if (!authorization.isEmpty()) {
      connection.setRequestProperty("Authorization", authorization);
    }
    return connection;
  }

  private int status(HttpURLConnection connection, String path) throws IOException {
    try {
      return connection.getResponseCode();
    } catch (FileNotFoundException _) {
      return NOT_FOUND;
    } catch (InterruptedIOException e) {
      throw e;
    } catch (IOException e) {
      throw new IOException(address + " does not answer for " + path + ": " + e.getMessage(), e);
    }
  }

  private void expect(boolean right, int status, String path) throws IOException {
    if (right) {
      return;
    }
    throw new IOException(
        switch (status) {
          case UNAUTHORIZED ->
              address
                  + (authorization.isEmpty()
                      ? " asks for user and password, and there are none"
                      : " refuses user and password");
          case FORBIDDEN -> address + " forbids " + path;
          default ->
              status >= REDIRECT && status < CLIENT_ERROR
                  ? address + " sends elsewhere: use the address that it sends to"
                  : "%s answers %d for %s".formatted(address, status, path);
        });
  }
}
