package dev.towline.it.hostile;

import dev.towline.it.fleet.Program;
import dev.towline.runtime.identity.NodeIdentity;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A real agent in the hostile middle.
 *
 * @param data its data directory
 * @param file to which its actions append
 */
record Victim(Program program, String name, NodeIdentity identity, Path data, Path file) {
  String id() {
    return identity.id();
  }

  /** What actions have appended so far. */
  List<String> lines() {
    try {
      return Files.exists(file) ? Files.readAllLines(file) : List.of();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
