package dev.towline.agent.image;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/**
 * Which machine an image was made on, in the agent's directory. A file that is there, on the same
 * machine: the image itself. On another one: a clone.
 */
public final class ImageMark {
  private final Path file;

  public ImageMark(Path data) {
    this.file = data.resolve("image");
  }

  /** Remembers this machine; returns when it is on the disk. */
  public void set(String machine) throws IOException {
    DurableFiles.replace(file, machine.getBytes(StandardCharsets.UTF_8));
  }

  /** Whether this agent came onto its disk as an image. */
  public boolean isSet() {
    return Files.exists(file);
  }

  /** Whether it was set on this very machine. */
  public boolean isOf(String machine) throws IOException {
    return Files.readString(file).equals(machine);
  }

  /** A machine id for a clone: the one on its disk is that of the image. */
  public static String machineId(String onDisk, String machine) {
    return HexFormat.of()
        .formatHex(
            Fingerprints.sha256(
                ("towline clone v1\0" + onDisk + "\0" + machine).getBytes(StandardCharsets.UTF_8)));
  }
}
