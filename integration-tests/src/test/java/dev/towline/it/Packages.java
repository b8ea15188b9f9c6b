package dev.towline.it;

import java.nio.file.Path;
import java.util.List;

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

  private static Path target(String program) {
    return Path.of(System.getProperty("towline.root")).resolve(program).resolve("target");
  }
}
