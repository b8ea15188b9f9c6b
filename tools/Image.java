import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Lays out in a directory what the package of a program holds: start script, jars, what {@code
 * src/main/dist} adds, and the run-time image of the JDK.
 *
 * <p>Arguments are names followed by values, see {@link #argument}. Running it again changes
 * nothing that is up to date.
 */
final class Image {
  /**
   * Native code that a jar holds. What runs here is unpacked, because the libraries would do that
   * at each start into {@code /tmp}, which hardened hosts mount noexec; code for systems other than
   * Linux is left out. So are signatures: checking them costs seconds and, as long as the program
   * runs, megabytes, and says nothing that the package's own hash does not; and the JCA provider of
   * BouncyCastle, which no program uses: Netty would look for it at each start and keep it, which
   * costs 10 MiB.
   */
  private record NativeCode(String jar, List<String> unpacked, Pattern leftOut) {
    boolean keeps(String entry) {
      return !unpacked.contains(entry) && !leftOut.matcher(entry).matches();
    }
  }

  private static final Pattern SIGNATURES = Pattern.compile("META-INF/[^/]+\\.(SF|DSA|RSA|EC)");

  private static final Pattern SIGNATURES_AND_PROVIDER =
      Pattern.compile(
          SIGNATURES
              + "|(META-INF/versions/\\d+/)?org/bouncycastle/(jce|jcajce|pqc/jcajce)/provider/.*");

  private static final List<NativeCode> NATIVE_CODE =
      List.of(
          new NativeCode("bcprov-", List.of(), SIGNATURES_AND_PROVIDER),
          new NativeCode("bcpkix-", List.of(), SIGNATURES),
          new NativeCode("bcutil-", List.of(), SIGNATURES),
          // Our own: rewritten for the times and modes, which depend on zone and umask of the
          // build.
          new NativeCode("towline-", List.of(), Pattern.compile("(?!)")),
          new NativeCode(
              "grpc-netty-shaded-",
              List.of(
                  "META-INF/native/libio_grpc_netty_shaded_netty_tcnative_linux_x86_64.so",
                  "META-INF/native/libio_grpc_netty_shaded_netty_transport_native_epoll_x86_64.so"),
              Pattern.compile("META-INF/native/.*_(osx|windows)_.*")),
          new NativeCode(
              "sqlite-jdbc-",
              List.of("org/sqlite/native/Linux/x86_64/libsqlitejdbc.so"),
              Pattern.compile("org/sqlite/native/(?!Linux/(x86_64|aarch64)/)[^/]+/.*\\.[a-z]+")));

  /** Without a zone: what a jar says may depend on that of whoever builds. */
  private static final LocalDateTime ENTRY_TIME = LocalDateTime.of(2000, 1, 1, 0, 0);

  private static final List<String> JLINK_OPTIONS =
      List.of("--strip-java-debug-attributes", "--no-header-files", "--no-man-pages");

  private final Map<String, String> arguments;
  private final Path image;

  private Image(Map<String, String> arguments) {
    this.arguments = arguments;
    this.image = Path.of(argument("image"));
  }

  public static void main(String[] args) throws Exception {
    Map<String, String> arguments = new HashMap<>();
    for (int i = 0; i < args.length; i += 2) {
      arguments.put(args[i], args[i + 1]);
    }
    new Image(arguments).build();
  }

  private void build() throws Exception {
    List<String> jars = libraries();
    launcher(jars);
    dist();
    if (!Boolean.parseBoolean(argument("skip-runtime"))) {
      runtime();
    }
  }

  private String argument(String name) {
    String value = arguments.get(name);
    if (value == null) {
      throw new IllegalArgumentException(name + " is missing (given: " + arguments.keySet() + ")");
    }
    return value;
  }

  /** Fills {@code lib/}; returns the file names in the order of the class path. */
  private List<String> libraries() throws IOException {
    Path lib = Files.createDirectories(image.resolve("lib"));
    List<Path> sources = new ArrayList<>();
    sources.add(Path.of(argument("jar")));
    Arrays.stream(argument("class-path").split(":"))
        .map(Path::of)
        .filter(Files::isRegularFile)
        .forEach(sources::add);
    List<String> names = new ArrayList<>();
    for (Path source : sources) {
      String name = source.getFileName().toString();
      if (names.contains(name)) {
        throw new IOException("two libraries are called " + name);
      }
      names.add(name);
      Path target = lib.resolve(name);
      Optional<NativeCode> nativeCode =
          NATIVE_CODE.stream().filter(code -> name.startsWith(code.jar())).findFirst();
      if (Files.exists(target)
          && Files.getLastModifiedTime(target).compareTo(Files.getLastModifiedTime(source)) == 0
          && nativeCode.stream()
              .flatMap(code -> code.unpacked().stream())
              .allMatch(entry -> Files.exists(unpacked(entry)))) {
        continue;
      }
      Path temporary = lib.resolve(name + ".tmp");
      if (nativeCode.isEmpty()) {
        Files.copy(source, temporary, StandardCopyOption.REPLACE_EXISTING);
      } else {
        split(source, nativeCode.get(), temporary);
      }
      Files.setLastModifiedTime(temporary, Files.getLastModifiedTime(source));
      Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
    }
    deleteOthers(lib, new HashSet<>(names));
    return names;
  }

  private Path unpacked(String entry) {
    return image.resolve("lib/native").resolve(entry.substring(entry.lastIndexOf('/') + 1));
  }

  /**
   * Copies a jar, always to the same bytes, without its native code, which goes to {@code
   * lib/native}.
   */
  private void split(Path source, NativeCode nativeCode, Path target) throws IOException {
    try (var in = new ZipFile(source.toFile());
        OutputStream file = Files.newOutputStream(target);
        var out = new ZipOutputStream(file)) {
      for (String name : nativeCode.unpacked()) {
        ZipEntry entry = in.getEntry(name);
        if (entry == null) {
          throw new IOException(source + " does not hold " + name);
        }
        Files.createDirectories(unpacked(name).getParent());
        try (InputStream stream = in.getInputStream(entry)) {
          Files.copy(stream, unpacked(name), StandardCopyOption.REPLACE_EXISTING);
        }
      }
      for (ZipEntry entry : Collections.list(in.entries())) {
        if (!nativeCode.keeps(entry.getName())) {
          continue;
        }
        byte[] content;
        try (InputStream stream = in.getInputStream(entry)) {
          content = stream.readAllBytes();
        }
        if (entry.getName().equals("META-INF/MANIFEST.MF")) {
          content = mainSection(content);
        }
        var copy = new ZipEntry(entry.getName());
        copy.setTimeLocal(ENTRY_TIME);
        copy.setMethod(entry.getMethod());
        if (entry.getMethod() == ZipEntry.STORED) {
          var crc = new CRC32();
          crc.update(content);
          copy.setCrc(crc.getValue());
          copy.setSize(content.length);
        }
        out.putNextEntry(copy);
        out.write(content);
        out.closeEntry();
      }
    }
  }

  /** A manifest without its sections on single entries, which hold digests. */
  private static byte[] mainSection(byte[] manifest) {
    String text = new String(manifest, StandardCharsets.UTF_8).replace("\r\n", "\n");
    int end = text.indexOf("\n\n");
    return (end < 0 ? text : text.substring(0, end + 2)).getBytes(StandardCharsets.UTF_8);
  }

  private void launcher(List<String> jars) throws IOException {
    StringBuilder classPath = new StringBuilder();
    for (String jar : jars) {
      classPath.append(classPath.isEmpty() ? "" : ":").append("$home/lib/").append(jar);
    }
    String script =
        Files.readString(Path.of(argument("launcher")))
            .replace("@program@", argument("program"))
            .replace("@main@", argument("main"))
            .replace("@java-options@", argument("java-options").strip().replaceAll("\\s+", " "))
            .replace("@class-path@", classPath);
    Path target = Files.createDirectories(image.resolve("bin")).resolve(argument("program"));
    Files.writeString(target, script);
    Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private void dist() throws IOException {
    Path dist = Path.of(argument("dist"));
    if (Files.isDirectory(dist)) {
      copyTree(dist, image, false);
    }
  }

  /**
   * Links the modules once for all programs that name the same ones, then shares the files: an
   * image is 70 MB.
   */
  private void runtime() throws Exception {
    Path jdk = Path.of(System.getProperty("java.home"));
    Path runtimes = Files.createDirectories(Path.of(argument("runtimes")));
    String key =
        hash(Files.readString(jdk.resolve("release")) + argument("modules") + JLINK_OPTIONS);
    Path linked = runtimes.resolve(key);
    try (var channel =
            FileChannel.open(
                runtimes.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        var _ = channel.lock()) {
      if (!Files.exists(linked)) {
        Path temporary = runtimes.resolve(key + ".tmp");
        delete(temporary);
        jlink(jdk, temporary);
        Files.move(temporary, linked);
      }
    }
    Path runtime = image.resolve("runtime");
    Path stamp = image.resolveSibling(image.getFileName() + ".runtime");
    if (Files.isDirectory(runtime) && Files.exists(stamp) && Files.readString(stamp).equals(key)) {
      return;
    }
    delete(runtime);
    copyTree(linked, runtime, true);
    Files.writeString(stamp, key);
  }

  private void jlink(Path jdk, Path output) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(jdk.resolve("bin/jlink").toString());
    command.addAll(List.of("--add-modules", argument("modules").replaceAll("\\s+", "")));
    command.addAll(JLINK_OPTIONS);
    command.addAll(List.of("--output", output.toString()));
    int status = new ProcessBuilder(command).inheritIO().start().waitFor();
    if (status != 0) {
      throw new IOException("jlink ended with " + status + ": " + command);
    }
    // Only a JDK that dumps its own archive of classes reads it.
    Files.deleteIfExists(output.resolve("lib/classlist"));
  }

  private static void copyTree(Path from, Path to, boolean link) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isSymbolicLink(file)) {
          Files.createSymbolicLink(target, Files.readSymbolicLink(file));
        } else if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else if (link) {
          Files.createLink(target, file);
        } else {
          Files.copy(
              file,
              target,
              StandardCopyOption.REPLACE_EXISTING,
              StandardCopyOption.COPY_ATTRIBUTES);
        }
      }
    }
  }

  private static void deleteOthers(Path directory, Set<String> names) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        if (!Files.isDirectory(file) && !names.contains(file.getFileName().toString())) {
          Files.delete(file);
        }
      }
    }
  }

  private static void delete(Path tree) throws IOException {
    if (!Files.exists(tree)) {
      return;
    }
    try (Stream<Path> files = Files.walk(tree)) {
      for (Path file : (Iterable<Path>) files.sorted(Comparator.reverseOrder())::iterator) {
        Files.delete(file);
      }
    }
  }

  private static String hash(String text) throws Exception {
    byte[] digest =
        MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest, 0, 8);
  }
}
