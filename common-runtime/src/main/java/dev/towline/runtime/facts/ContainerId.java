package dev.towline.runtime.facts;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which container this is, where the runtime shows that in the container's own mounts. */
public final class ContainerId {
  private static final Pattern MOUNT = Pattern.compile("containers/([0-9a-f]{64})/");

  private ContainerId() {}

  /**
   * @param root of the file system; another than {@code /} in tests
   */
  public static Optional<String> read(Path root) {
    try {
      Matcher mount = MOUNT.matcher(Files.readString(root.resolve("proc/self/mountinfo")));
      return mount.find() ? Optional.of(mount.group(1)) : Optional.empty();
    } catch (IOException _) {
      return Optional.empty();
    }
  }
}
