package dev.towline.it;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;

/** Where the build put the packages of the programs. */
public final class Packages {
  public static final List<String> PROGRAMS = List.of("manager", "agent", "proxy", "relay", "cli");

  private static final String VERSION = System.getProperty("towline.version");

  private Packages() {}

  public static Path tarball(String program) {
    return target(program).resolve(directory(program) + "-linux-x86_64.tar.gz");
  }

  public static Path deb(String program) {
    return target(program).resolve("towline-" + program + "_" + VERSION + "_amd64.deb");
  }

  public static String version() {
    return VERSION;
  }

  /** The one directory in the tarball. */
  public static String directory(String program) {
    return "towline-" + program + "-" + VERSION;
  }

  /** The name of the command. */
  public static String command(String program) {
    return program.equals("cli") ? "towline" : "towline-" + program;
  }

  /**
   * The package of a program once more, as another version: nothing but what it says of itself
   * differs.
   */
  public static Path reversioned(String program, String version, Path work) throws IOException {
    run(work, "tar", "-xzf", tarball(program).toString());
    Path tree = work.resolve("towline-" + program + "-" + version);
    Files.move(work.resolve(directory(program)), tree);
    Path jar;
    try (Stream<Path> files = Files.walk(tree)) {
      jar =
          files
              .filter(file -> file.getFileName().toString().startsWith("towline-common-runtime"))
              .findFirst()
              .orElseThrow();
    }
    try (FileSystem inside = FileSystems.newFileSystem(jar)) {
      Files.writeString(
          inside.getPath("/dev/towline/runtime/telemetry/build.properties"),
          "version=" + version + "\n");
    }
    return packed(tree);
  }

  /** A package of a version that never comes up. */
  public static Path broken(String program, String version, Path work) throws IOException {
    Path tree = work.resolve("towline-" + program + "-" + version);
    Path binary = tree.resolve("bin").resolve(command(program));
    Files.createDirectories(binary.getParent());
    Files.writeString(binary, "#!/bin/sh\necho 'this version is broken' >&2\nexit 3\n");
    Files.setPosixFilePermissions(binary, PosixFilePermissions.fromString("rwxr-xr-x"));
    return packed(tree);
  }

  private static Path packed(Path tree) throws IOException {
    Path work = tree.getParent();
    Path file = work.resolve(tree.getFileName() + "-linux-x86_64.tar.gz");
    run(work, "tar", "-I", "gzip -1", "-cf", file.toString(), tree.getFileName().toString());
    return file;
  }

  private static void run(Path in, String... command) throws IOException {
    Process process =
        new ProcessBuilder(command).directory(in.toFile()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new IOException(String.join(" ", command) + ": " + output);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private static Path target(String program) {
    return Path.of(System.getProperty("towline.root")).resolve(program).resolve("target");
  }
}
