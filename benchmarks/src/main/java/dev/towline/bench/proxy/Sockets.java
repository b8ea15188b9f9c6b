package dev.towline.bench.proxy;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;

/** What the kernel says about the sockets of a process. */
final class Sockets {
  private static final String ESTABLISHED = "01";

  private Sockets() {}

  /** Established IPv4 connections of a process to one address and port. */
  static int connections(long pid, String address, int port) throws IOException {
    byte[] ip = InetAddress.getByName(address).getAddress();
    String remote =
        String.format(Locale.ROOT, "%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], port);
    Set<String> own = inodes(pid);
    int count = 0;
    for (String file : new String[] {"tcp", "tcp6"}) {
      for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/net/" + file))) {
        String[] fields = line.strip().split("\\s+");
        if (fields.length > 9
            && fields[2].endsWith(remote)
            && fields[3].equals(ESTABLISHED)
            && own.contains(fields[9])) {
          count++;
        }
      }
    }
    return count;
  }

  private static Set<String> inodes(long pid) throws IOException {
    Set<String> inodes = new HashSet<>();
    try (Stream<Path> all = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      for (Path descriptor : all.toList()) {
        String target = Files.readSymbolicLink(descriptor).toString();
        if (target.startsWith("socket:[")) {
          inodes.add(target.substring(8, target.length() - 1));
        }
      }
    }
    return inodes;
  }
}
