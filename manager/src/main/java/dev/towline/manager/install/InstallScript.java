package dev.towline.manager.install;

import dev.towline.runtime.identity.Fingerprints;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.zip.GZIPOutputStream;

/**
 * The shell script behind an install command, and the lines that fetch, check and run it. The same
 * inputs give the same bytes.
 */
final class InstallScript {
  private static final Pattern SOURCES = Pattern.compile("(?m)^sources='([^' ]+)");
  private static final String TEMPLATE = load();
  private static final List<String> OPTIONAL =
      List.of(
          "@TOKEN_ID@",
          "@DIALLED@",
          "@INSTALL_SOURCE@",
          "@IMAGE@",
          "@UPGRADE@",
          "@ENROLLMENT_HEAD@",
          "@ENROLLMENT_TAIL@");

  private InstallScript() {}

  /**
   * @param dialled whether it goes online only when somebody else dials it
   */
  static String of(
      EnrollmentFile enrollment, Route route, Packages.Program program, boolean dialled) {
    return of(enrollment, route, program, dialled, InstallSource.NONE);
  }

  /**
   * @param source where the package is looked for first
   */
  static String of(
      EnrollmentFile enrollment,
      Route route,
      Packages.Program program,
      boolean dialled,
      InstallSource source) {
    return filled(
        enrollment,
        dialled,
        source,
        program.program(),
        program.version(),
        String.join(" ", route.sources()),
        program.fileName(),
        program.sha256());
  }

  /** Replaces a program that is installed and enrolled by another version of it. */
  static String upgrade(Route route, Packages.Program program) {
    return filled(
        program.program(),
        program.version(),
        String.join(" ", route.sources()),
        program.fileName(),
        program.sha256(),
        Map.of("@UPGRADE@", "yes"));
  }

  private static String filled(
      EnrollmentFile enrollment,
      boolean dialled,
      InstallSource source,
      String program,
      String version,
      String sources,
      String fileName,
      String sha256) {
    return filled(
        program,
        version,
        sources,
        fileName,
        sha256,
        Map.of(
            "@TOKEN_ID@",
            enrollment.tokenId(),
            "@DIALLED@",
            dialled ? "yes" : "",
            "@INSTALL_SOURCE@",
            source.address().isEmpty() ? "" : quoted(source.address()),
            "@IMAGE@",
            enrollment.image() ? "yes" : "",
            "@ENROLLMENT_HEAD@",
            quoted(enrollment.head()),
            "@ENROLLMENT_TAIL@",
            quoted(enrollment.tail())));
  }

  private static String filled(
      String program,
      String version,
      String sources,
      String fileName,
      String sha256,
      Map<String, String> others) {
    String script =
        TEMPLATE
            .replace("@PROGRAM@", program)
            .replace("@VERSION@", version)
            .replace("@SOURCES@", quoted(sources))
            .replace("@PACKAGE@", fileName)
            .replace("@PACKAGE_SHA256@", sha256);
    for (String place : OPTIONAL) {
      script = script.replace(place, others.getOrDefault(place, ""));
    }
    return script;
  }

  /**
   * The line for a root shell. The secret goes from a shell's own command into standard input, so
   * it is on no argument list.
   *
   * @param login for the source of packages; empty for none
   */
  static String line(
      Tool tool, String source, String tokenId, String script, String secret, String login) {
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
        + (login.isEmpty() ? "" : " " + quoted(login))
        + " | sh \"$f\")";
  }

  enum Tool {
    CURL,
    WGET
  }

  /**
   * For a host that reaches nothing: the line brings the script along, and the package lies in the
   * directory where it is run, or is installed already. What lies there is checked as well.
   *
   * @param program none when this manager has no package: then it has to be installed already
   */
  static String offlineLine(
      EnrollmentFile enrollment, Optional<Packages.Program> program, String secret) {
    String script =
        program
            .map(known ->
                filled(
                    enrollment,
                    true,
                    InstallSource.NONE,
                    known.program(),
                    known.version(),
                    "",
                    known.fileName(),
                    known.sha256()))
            .orElseGet(() ->
                filled(
                    enrollment,
                    true,
                    InstallSource.NONE,
                    enrollment.role().label(),
                    "",
                    "",
                    "",
                    ""));
    return "(f=$(mktemp) && trap 'rm -f \"$f\"' EXIT && echo "
        + packed(script)
        + " | base64 -d | gzip -d >\"$f\" && printf '%s\\n' "
        + quoted(secret)
        + " | sh \"$f\")";
  }

  private static String packed(String script) {
    var bytes = new ByteArrayOutputStream();
    try (var gzip = new GZIPOutputStream(bytes)) {
      gzip.write(script.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Base64.getEncoder().encodeToString(bytes.toByteArray());
  }

  /** Where a script was made to be fetched from; empty for one that is not fetched. */
  static Optional<String> firstSource(String script) {
    return SOURCES.matcher(script).results().map(found -> found.group(1)).findFirst();
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
