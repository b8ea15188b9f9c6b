package dev.towline.runtime.telemetry;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What was built. As a version provider it prints the program's name with it. */
public final class BuildInfo implements IVersionProvider {
  private static final String VERSION = load();

  @Spec private CommandSpec command = CommandSpec.create();

  /** The version of this build, the same for all programs. */
  public static String version() {
    return VERSION;
  }

  @Override
  public String[] getVersion() {
    return new String[] {command.root().name() + " " + VERSION};
  }

  private static String load() {
    try (InputStream in = BuildInfo.class.getResourceAsStream("build.properties")) {
      if (in == null) {
        throw new IllegalStateException("build.properties is missing from the class path");
      }
      var properties = new Properties();
      properties.load(in);
      return properties.getProperty("version");
    } catch (IOException e) {
      throw new UncheckedIOException("failed to read build.properties", e);
    }
  }
}
