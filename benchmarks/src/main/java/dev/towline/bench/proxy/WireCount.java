package dev.towline.bench.proxy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Bytes of IP packets between a port of one address and everybody, both ways, as nft counts them. A
 * table of its own that nothing else looks at; {@link #close} removes it.
 */
public final class WireCount implements AutoCloseable {
  private static final Pattern BYTES = Pattern.compile("bytes (\\d+)");

  private final String table = "towline_bench_" + ProcessHandle.current().pid();

  public WireCount(String address, int port) throws IOException, InterruptedException {
    nft("add table inet " + table);
    nft("add chain inet " + table + " in { type filter hook input priority 0; }");
    nft("add rule inet %s in ip daddr %s tcp dport %d counter".formatted(table, address, port));
    nft("add rule inet %s in ip saddr %s tcp sport %d counter".formatted(table, address, port));
  }

  public long bytes() throws IOException, InterruptedException {
    Matcher counters = BYTES.matcher(nft("list table inet " + table));
    long sum = 0;
    while (counters.find()) {
      sum += Long.parseLong(counters.group(1));
    }
    return sum;
  }

  private static String nft(String command) throws IOException, InterruptedException {
    Process nft = new ProcessBuilder("nft", command).redirectErrorStream(true).start();
    String output = new String(nft.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (nft.waitFor() != 0) {
      throw new IOException("nft " + command + ": " + output);
    }
    return output;
  }

  @Override
  public void close() throws IOException, InterruptedException {
    nft("delete table inet " + table);
  }
}
