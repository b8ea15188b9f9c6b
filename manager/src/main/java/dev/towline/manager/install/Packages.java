package dev.towline.manager.install;

import dev.towline.runtime.identity.Role;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The programs' packages that this manager gives to hosts. Files are looked for at each question,
 * so that one put there later is found; hashes are computed once for each state of a file. Safe for
 * use by several threads.
 */
public final class Packages {
  private static final Pattern NAME =
      Pattern.compile(
          "towline-([a-z]+)-([0-9A-Za-z.+]+(?:-[0-9A-Za-z.+]+)*)-linux-x86_64\\.tar\\.gz");

  private final List<Path> directories;
  private final Map<Path, Hashed> hashes = new ConcurrentHashMap<>();

  /**
   * @param directories where packages may be; one that does not exist is passed over
   */
  public Packages(List<Path> directories) {
    this.directories = List.copyOf(directories);
  }

  /** A package as install scripts pin it. */
  public record Program(String program, String version, Path file, String sha256) {
    public String fileName() {
      return file.getFileName().toString();
    }
  }

  private record Hashed(FileTime modified, long size, String sha256) {}

  /** The newest package of the program for this role. */
  public Optional<Program> newest(Role role) {
    return files()
        .filter(file -> program(file).equals(role.label()))
        .max(Comparator.comparing(file -> version(file), Packages::compareVersions))
        .map(this::hashed);
  }

  /** A package by its file name; nothing else in the directories is given out. */
  public Optional<Path> file(String name) {
    if (!NAME.matcher(name).matches()) {
      return Optional.empty();
    }
    return files().filter(file -> file.getFileName().toString().equals(name)).findFirst();
  }

  public List<Path> directories() {
    return directories;
  }

  private Stream<Path> files() {
    return directories.stream()
        .flatMap(directory -> {
          if (!Files.isDirectory(directory)) {
            return Stream.empty();
          }
          try (Stream<Path> files = Files.list(directory)) {
            return files
                .filter(file -> NAME.matcher(file.getFileName().toString()).matches())
                .toList()
                .stream();
          } catch (IOException e) {
            throw new UncheckedIOException("failed to list packages in " + directory, e);
          }
        });
  }

  private Program hashed(Path file) {
    try {
      FileTime modified = Files.getLastModifiedTime(file);
      long size = Files.size(file);
      Hashed known = hashes.get(file);
      if (known == null || !known.modified().equals(modified) || known.size() != size) {
        known = new Hashed(modified, size, sha256(file));
        hashes.put(file, known);
      }
      return new Program(program(file), version(file), file, known.sha256());
    } catch (IOException e) {
      throw new UncheckedIOException("failed to read package " + file, e);
    }
  }

  private static String sha256(Path file) throws IOException {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
      byte[] buffer = new byte[1 << 16];
      while (in.read(buffer) >= 0) {
        // the digest reads along
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static String program(Path file) {
    return part(file, 1);
  }

  private static String version(Path file) {
    return part(file, 2);
  }

  private static String part(Path file, int group) {
    Matcher matcher = NAME.matcher(file.getFileName().toString());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(file + " is no package");
    }
    return matcher.group(group);
  }

  /** Numbers by value, the rest as text: 0.9.1 before 0.10.0. */
  static int compareVersions(String one, String other) {
    String[] left = one.split("[.+-]");
    String[] right = other.split("[.+-]");
    for (int i = 0; i < Math.min(left.length, right.length); i++) {
      boolean numbers = left[i].matches("\\d{1,9}") && right[i].matches("\\d{1,9}");
      int order =
          numbers
              ? Integer.compare(Integer.parseInt(left[i]), Integer.parseInt(right[i]))
              : left[i].compareTo(right[i]);
      if (order != 0) {
        return order;
      }
    }
    return Integer.compare(left.length, right.length);
  }
}
