package dev.towline.manager.install;

import dev.towline.runtime.identity.Fingerprints;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * The shell script behind an install command, and the lines that fetch, check and run it. The same
 * inputs give the same bytes.
 */
final class InstallScript {
  private static final String TEMPLATE = load();

  private InstallScript() {}

  static String of(EnrollmentFile enrollment, Route route, Packages.Program program) {
    return TEMPLATE
        .replace("@PROGRAM@", program.program())
        .replace("@VERSION@", program.version())
        .replace("@TOKEN_ID@", enrollment.tokenId())
        .replace("@SOURCES@", quoted(String.join(" ", route.sources())))
        .replace("@PACKAGE@", program.fileName())
        .replace("@PACKAGE_SHA256@", program.sha256())
        .replace("@ENROLLMENT_HEAD@", quoted(enrollment.head()))
        .replace("@ENROLLMENT_TAIL@", quoted(enrollment.tail()));
  }

  /**
   * The line for a root shell. The secret goes from a shell's own command into standard input, so
   * it is on no argument list.
   */
  static String line(Tool tool, String source, String tokenId, String script, String secret) {
    String url = source + "/install/" + tokenId + ".sh";
    String sha256 =
        HexFormat.of().formatHex(Fingerprints.sha256(script.getBytes(StandardCharsets.UTF_8)));
    return "(f=$(mktemp) && trap 'rm -f \"$f\"' EXIT && "
        + switch (tool) {
          case CURL -> "curl -fsSk --noproxy '*' -o \"$f\" ";
          case WGET -> "wget -q --no-proxy --no-check-certificate -O \"$f\" ";
        }
        + quoted(url)
        + " && echo \""
        + sha256
        + "  $f\" | sha256sum -c - >/dev/null && printf '%s\\n' "
        + quoted(secret)
        + " | sh \"$f\")";
  }

  enum Tool {
    CURL,
    WGET
  }

  /**
   * For a program whose package was installed by hand, on a host that reaches nothing. Others may
   * pass through the directories above the program's own, which is its unit's user's.
   */
  static String offlineLine(String program, String enrollmentFile) {
    String name = "towline-" + program;
    String directory = "/var/lib/towline/" + program;
    return "(mkdir -p "
        + directory
        + " && chmod 0700 "
        + directory
        + " && umask 077 && printf '%s\\n' "
        + quoted(enrollmentFile)
        + " >"
        + directory
        + "/enrollment.json && systemctl enable --quiet "
        + name
        + " && systemctl restart "
        + name
        + ")";
  }

  /** One shell word. */
  static String quoted(String text) {
    return "'" + text.replace("'", "'\\''") + "'";
  }

  private static String load() {
    try (InputStream in = InstallScript.class.getResourceAsStream("install.sh")) {
      if (in == null) {
        throw new IllegalStateException("install.sh is missing from the class path");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("failed to read install.sh", e);
    }
  }
}
