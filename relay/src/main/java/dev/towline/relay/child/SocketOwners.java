package dev.towline.relay.child;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Who on this host holds the other end of a loopback connection, from the kernel's tables. Reads
 * files, so not for an event loop.
 */
final class SocketOwners {
  private static final int LOCAL = 1;
  private static final int REMOTE = 2;
  private static final int UID = 7;
  private static final int INODE = 9;

  private final Path proc;

  SocketOwners(Path proc) {
    this.proc = proc;
  }

  /**
   * @param uid number of the user
   * @param inode of the socket; tells which process holds it
   */
  record Owner(int uid, long inode) {}

  /**
   * Empty when the connection is gone already.
   *
   * @param client end of the one who connected
   * @param server end of the one who was connected to
   */
  Optional<Owner> of(InetSocketAddress client, InetSocketAddress server) throws IOException {
    if (!(client.getAddress() instanceof Inet4Address)
        || !(server.getAddress() instanceof Inet4Address)) {
      return Optional.empty();
    }
    String local = hex(client);
    String remote = hex(server);
    Optional<Owner> plain = find(proc.resolve("net/tcp"), local, remote);
    // A socket for both families shows an address of version 4 as one of version 6.
    String mapped = "0000000000000000FFFF0000";
    return plain.isPresent()
        ? plain
        : find(proc.resolve("net/tcp6"), mapped + local, mapped + remote);
  }

  /** Whether a socket is one of this process. */
  boolean isOwn(long inode) throws IOException {
    String name = "socket:[" + inode + "]";
    try (DirectoryStream<Path> open = Files.newDirectoryStream(proc.resolve("self/fd"))) {
      for (Path each : open) {
        try {
          if (Files.readSymbolicLink(each).toString().equals(name)) {
            return true;
          }
        } catch (IOException e) {
          // Closed meanwhile.
        }
      }
    }
    return false;
  }

  private static Optional<Owner> find(Path table, String local, String remote) throws IOException {
    if (!Files.exists(table)) {
      return Optional.empty();
    }
    List<String> lines = Files.readAllLines(table, StandardCharsets.US_ASCII);
    for (String line : lines.subList(Math.min(1, lines.size()), lines.size())) {
      if (!line.contains(local)) {
        continue;
      }
      String[] fields = line.strip().split(" +");
      if (fields.length > INODE && fields[LOCAL].equals(local) && fields[REMOTE].equals(remote)) {
        return Optional.of(new Owner(Integer.parseInt(fields[UID]), Long.parseLong(fields[INODE])));
      }
    }
    return Optional.empty();
  }

  /** As the kernel writes it: the address as a number of this machine's byte order. */
  private static String hex(InetSocketAddress address) {
    byte[] bytes = address.getAddress().getAddress();
    boolean little = java.nio.ByteOrder.nativeOrder() == java.nio.ByteOrder.LITTLE_ENDIAN;
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < bytes.length; i++) {
      text.append("%02X".formatted(bytes[little ? bytes.length - 1 - i : i]));
    }
    return text.append(String.format(Locale.ROOT, ":%04X", address.getPort())).toString();
  }
}
