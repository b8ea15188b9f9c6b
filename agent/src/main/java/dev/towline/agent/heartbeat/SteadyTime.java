package dev.towline.agent.heartbeat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * The time since the machine booted, from {@code /proc/uptime}: unlike {@link System#nanoTime} it
 * goes on while a laptop sleeps, so that waking up is not mistaken for a clock that was set.
 */
public final class SteadyTime implements Supplier<Duration> {
  private final Path uptime;
  private final LongSupplier nanoTime;
  private boolean readable = true;

  SteadyTime(Path uptime, LongSupplier nanoTime) {
    this.uptime = uptime;
    this.nanoTime = nanoTime;
    this.readable = read().isPresent();
  }

  public static SteadyTime ofThisMachine() {
    return new SteadyTime(Path.of("/proc/uptime"), System::nanoTime);
  }

  @Override
  public Duration get() {
    // Never one after the other: they don't begin at the same moment.
    return readable
        ? read().orElseThrow(() -> new IllegalStateException(uptime + " can't be read any more"))
        : Duration.ofNanos(nanoTime.getAsLong());
  }

  private Optional<Duration> read() {
    try {
      String text = Files.readString(uptime);
      int space = text.indexOf(' ');
      return Optional.of(
          Duration.ofMillis(Math.round(Double.parseDouble(text.substring(0, space)) * 1000)));
    } catch (IOException | RuntimeException _) {
      return Optional.empty();
    }
  }
}
