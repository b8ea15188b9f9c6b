package dev.towline.bench.updates;

import dev.towline.bench.proxy.WireCount;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.updates.RepositoryPaths;
import dev.towline.testing.Await;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * Agents behind one proxy take an update, going on where they were broken off as agents do, while
 * the proxy is killed twice: in the middle of its own fetch, and when half of all bytes are with
 * the agents. What the manager's public port sends and gets is counted in IP packets.
 */
public final class MirrorRun {
  private static final int SIZE = 60_000_000;
  private static final int CHUNK = 64 << 10;
  private static final Duration BOUND = Duration.ofSeconds(120);
  private static final Duration PATIENCE = Duration.ofMinutes(10);

  private final Path repository;
  private final int agents;
  private final Consumer<String> notes;

  public MirrorRun(Path repository, int agents, Consumer<String> notes) {
    this.repository = repository;
    this.agents = agents;
    this.notes = notes;
  }

  /** Bytes from the manager, as a multiple of the update's size. */
  public double run() throws Exception {
    Path directory = Files.createTempDirectory("towline-bench-mirror-");
    Random random = new Random();
    byte[] update = new byte[SIZE];
    random.nextBytes(update);
    byte[] hash = Fingerprints.sha256(update);
    Path content = directory.resolve("update");
    Files.write(content, update);
    try (ProcessFleet fleet =
        new ProcessFleet(repository, directory, LoopbackAddresses.free(random), List.of())) {
      fleet.startManager();
      Program proxy = fleet.startProxy();
      fleet.towline(
          "updates", "import", content.toString(), "--component", "bench", "--version", "1");
      String sha256 = HexFormat.of().formatHex(hash);
      String url = "http://" + fleet.host(2) + ":8080/updates/" + RepositoryPaths.file(sha256);
      Path part = directory.resolve("data/proxy/updates/copies/" + sha256 + ".part");
      try (var wire = new WireCount(fleet.managerHost(), 8443);
          ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
        var received = new AtomicLong();
        long from = System.nanoTime();
        List<Future<byte[]>> all = new ArrayList<>();
        for (int i = 0; i < agents; i++) {
          all.add(threads.submit(() -> take(url, received)));
        }
        Await.until(
            "a part of the proxy's fetch",
            BOUND,
            () -> !Files.exists(part) ? received.get() > 0 : Files.size(part) > SIZE / 5);
        long fetched = Files.exists(part) ? Files.size(part) : SIZE;
        restart(proxy);
        Await.until("half of it", PATIENCE, () -> received.get() > (long) SIZE * agents / 2);
        restart(proxy);
        for (Future<byte[]> one : all) {
          if (!MessageDigest.isEqual(one.get(), hash)) {
            throw new IOException("an agent got something else");
          }
        }
        double seconds = (System.nanoTime() - from) / 1e9;
        double ratio = (double) wire.bytes() / SIZE;
        notes.accept(
            String.format(
                Locale.ROOT,
                "  %d agents took %d MB each in %.0f s (%.0f MB/s); the proxy was killed when it"
                    + " had %d MB, and again at half of everything",
                agents,
                SIZE / 1_000_000,
                seconds,
                (double) SIZE * agents / 1e6 / seconds,
                fetched / 1_000_000));
        return ratio;
      }
    } finally {
      ProcessFleet.deleteTree(directory);
    }
  }

  private static void restart(Program proxy) {
    proxy.kill();
    proxy.start().awaitLine("towline-proxy online", BOUND);
  }

  /** The hash of what came in the end. */
  private static byte[] take(String url, AtomicLong received) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    long offset = 0;
    byte[] buffer = new byte[CHUNK];
    while (offset < SIZE) {
      try {
        HttpURLConnection connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
        if (offset > 0) {
          connection.setRequestProperty("Range", "bytes=" + offset + "-");
        }
        try (InputStream in = connection.getInputStream()) {
          for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
            digest.update(buffer, 0, read);
            offset += read;
            received.addAndGet(read);
          }
        } finally {
          connection.disconnect();
        }
      } catch (IOException _) {
        // The proxy is being started again.
        TimeUnit.MILLISECONDS.sleep(200);
      }
    }
    return digest.digest();
  }
}
