package dev.towline.it.relays;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.fleet.Program;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Nothing readable on the DMZ host (R9): what an agent's action prints is in the agent's memory,
 * and what goes in the clear is in the packets; in the relays' core dumps and heap dumps, and in
 * the packets, the former is not. Needs gcore (Debian: gdb), jcmd (a JDK) and tcpdump, and root.
 */
class CanaryIT {
  /** A dump holds what is reserved too: 15 GB of a relay's usual options on a host with 24. */
  private static final String SMALL =
      "-Xmx128m -XX:CompressedClassSpaceSize=48m -XX:ReservedCodeCacheSize=48m";

  @TempDir Path directory;

  @Test
  @Requirement("R9")
  void outputOfAnAction_isInTheAgentsMemory_andNowhereOnItsWay() throws Exception {
    byte[] random = new byte[16];
    new SecureRandom().nextBytes(random);
    String first = "canary" + HexFormat.of().formatHex(random, 0, 8);
    String second = "yranac" + HexFormat.of().formatHex(random, 8, 16);
    String canary = first + second;
    String plain = "plain-" + HexFormat.of().formatHex(random);
    try (RelayFleet fleet = new RelayFleet(directory)) {
      fleet.fleet().javaOptions(SMALL);
      RelayFleet.Relays pair = fleet.startPair("can-hq", "can-dmz");
      Program agent = fleet.fleet().startAgentBelow("can-1", "can-dmz");
      fleet.awaitOnline("can-1", RelayFleet.BOUND);
      Path packets = fleet.file("packets.pcap");
      Process capture = capture(pair.child().address(), packets);
      try {
        // The whole of it is written nowhere but in the output; it is held until the dumps are
        // made, however long that takes.
        Path seen = fleet.file("seen");
        CompletableFuture<String> run =
            CompletableFuture.supplyAsync(() ->
                fleet
                    .fleet()
                    .towline(
                        "run",
                        "--on",
                        "can-1",
                        "--time-limit",
                        "300s",
                        "--",
                        "sh",
                        "-c",
                        "for i in 1 2 3 4 5; do printf '%s%s\\n' "
                            + first
                            + " "
                            + second
                            + "; done; while [ ! -e "
                            + seen
                            + " ]; do sleep 0.2; done"));
        Await.until(
            "the canary in the agent's memory",
            RelayFleet.BOUND,
            () -> holds(core(agent, "agent"), canary));
        curl("http://" + pair.child().address() + ":8080/" + plain);

        assertThat(holds(core(pair.childProgram(), "child"), canary))
            .as("core dump of the child")
            .isFalse();
        assertThat(holds(heap(pair.childProgram(), "child"), canary))
            .as("heap dump of the child")
            .isFalse();
        assertThat(holds(core(pair.parentProgram(), "parent"), canary))
            .as("core dump of the parent")
            .isFalse();
        // The dumps are of the right process, and the scanner can read them.
        assertThat(holds(heap(pair.childProgram(), "child"), "RELAY_TARGET_SESSION")).isTrue();
        Files.createFile(seen);
        assertThat(run.get(120, TimeUnit.SECONDS)).contains(canary);

        // The output went over the wire: through this child, while this was recorded.
        Await.until(
            "the plain request in the packets", RelayFleet.BOUND, () -> holds(packets, plain));
      } finally {
        capture.destroy();
        assertThat(capture.waitFor(60, TimeUnit.SECONDS)).isTrue();
      }
      assertThat(Files.size(packets)).isGreaterThan(10_000);
      assertThat(holds(packets, canary)).as("packets at the child").isFalse();
      assertThat(holds(packets, second)).as("half of it").isFalse();
    }
  }

  private static Process capture(String address, Path file) throws Exception {
    Process capture =
        new ProcessBuilder(
                "tcpdump", "-i", "lo", "-U", "-s", "0", "-w", file.toString(), "host", address)
            .redirectErrorStream(true)
            .start();
    StringBuilder said = new StringBuilder();
    InputStream out = capture.getInputStream();
    for (int c = out.read(); c >= 0 && !said.toString().contains("listening on"); c = out.read()) {
      said.append((char) c);
    }
    assertThat(said.toString()).as("tcpdump").contains("listening on");
    return capture;
  }

  private Path core(Program program, String name) throws Exception {
    Path prefix = directory.resolve("core-" + name);
    run("gcore", "-o", prefix.toString(), String.valueOf(program.pid()));
    return Path.of(prefix + "." + program.pid());
  }

  private Path heap(Program program, String name) throws Exception {
    Path file = directory.resolve("heap-" + name + ".hprof");
    Files.deleteIfExists(file);
    run(
        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
        String.valueOf(program.pid()),
        "GC.heap_dump",
        "-all",
        file.toString());
    return file;
  }

  private static void curl(String url) throws Exception {
    run("curl", "-s", "--noproxy", "*", "-o", "/dev/null", "-m", "10", url);
  }

  private static void run(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("%s: %s", List.of(command), said).isZero();
  }

  /** Whether a file holds a text, as bytes of ASCII or as UTF-16. */
  private static boolean holds(Path file, String text) throws IOException {
    byte[][] forms = {
      text.getBytes(StandardCharsets.US_ASCII), text.getBytes(StandardCharsets.UTF_16LE)
    };
    int longest = Stream.of(forms).mapToInt(form -> form.length).max().orElseThrow();
    byte[] buffer = new byte[1 << 20];
    int kept = 0;
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer, kept, buffer.length - kept);
          n > 0;
          n = in.read(buffer, kept, buffer.length - kept)) {
        int filled = kept + n;
        for (byte[] form : forms) {
          if (find(buffer, filled, form)) {
            return true;
          }
        }
        kept = Math.min(filled, longest - 1);
        System.arraycopy(buffer, filled - kept, buffer, 0, kept);
      }
    }
    return false;
  }

  /** Horspool: a dump has gigabytes, nearly all of them nothing like it. */
  private static boolean find(byte[] buffer, int filled, byte[] form) {
    int last = form.length - 1;
    int[] shift = new int[256];
    Arrays.fill(shift, form.length);
    for (int i = 0; i < last; i++) {
      shift[form[i] & 0xff] = last - i;
    }
    for (int at = 0; at + last < filled; at += shift[buffer[at + last] & 0xff]) {
      if (buffer[at + last] == form[last]
          && Arrays.equals(buffer, at, at + form.length, form, 0, form.length)) {
        return true;
      }
    }
    return false;
  }
}
