package dev.towline.manager.install;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;

/** Where packages are when nobody says: beside the installed manager, or in the build's output. */
public final class PackageDirectories {
  private static final List<String> MODULES = List.of("agent", "proxy", "relay");
  private static final int LEVELS = 6;

  private PackageDirectories() {}

  public static List<Path> usual() {
    List<Path> directories = new ArrayList<>();
    Path here = ownLocation();
    for (int level = 0; here != null && level < LEVELS; level++) {
      Path packages = here.resolve("packages");
      if (Files.isDirectory(packages)) {
        directories.add(packages);
      }
      if (Files.exists(here.resolve("pom.xml")) && Files.isDirectory(here.resolve("agent"))) {
        for (String module : MODULES) {
          directories.add(here.resolve(module).resolve("target"));
        }
      }
      here = here.getParent();
    }
    return directories.isEmpty() ? List.of(Path.of("/opt/towline/packages")) : directories;
  }

  private static @org.jspecify.annotations.Nullable Path ownLocation() {
    CodeSource source = PackageDirectories.class.getProtectionDomain().getCodeSource();
    if (source == null) {
      return null;
    }
    try {
      return Path.of(source.getLocation().toURI()).toAbsolutePath();
    } catch (URISyntaxException _) {
      return null;
    }
  }
}
