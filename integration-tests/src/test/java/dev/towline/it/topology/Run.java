package dev.towline.it.topology;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The process that made a container, written as a label so that a later process can tell whether
 * that one still lives. A process id alone would not do: ids are used again, and start anew at boot
 * and in each process namespace.
 */
record Run(String boot, String namespace, long pid, String startedAt) {
  static Run current() {
    long pid = ProcessHandle.current().pid();
    return new Run(bootId(), namespaceId(), pid, startedAt(pid));
  }

  static Run parse(String label) {
    String[] parts = label.split("/", -1);
    if (parts.length != 4) {
      throw new IllegalArgumentException(
          "run: " + label + " (expected: boot/namespace/process id/start time)");
    }
    return new Run(parts[0], parts[1], Long.parseLong(parts[2]), parts[3]);
  }

  String label() {
    return boot + "/" + namespace + "/" + pid + "/" + startedAt;
  }

  /** Whether this run is known to have ended. Processes of another namespace can't be judged. */
  boolean isOver() {
    if (!boot.equals(bootId())) {
      return true;
    }
    return namespace.equals(namespaceId()) && !startedAt.equals(startedAt(pid));
  }

  private static String bootId() {
    try {
      return Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).substring(0, 8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String namespaceId() {
    try {
      return Files.readSymbolicLink(Path.of("/proc/self/ns/pid")).toString().replaceAll("\\D", "");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The process's start time in clock ticks, or an empty text when there is no such process. */
  private static String startedAt(long pid) {
    try {
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      // Field 22, counted behind the command name, which may itself contain spaces.
      return stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[19];
    } catch (IOException _) {
      return "";
    }
  }
}
