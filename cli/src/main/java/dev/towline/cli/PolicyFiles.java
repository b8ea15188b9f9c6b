package dev.towline.cli;

import dev.towline.proto.v1.PolicyDocument;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Documents that are given by the name of their file. */
final class PolicyFiles {
  private static final ErrorCode UNREADABLE = ErrorCode.user("FILE_UNREADABLE");

  private PolicyFiles() {}

  static PolicyDocument read(String file) {
    try {
      String yaml =
          file.equals("-")
              ? new String(System.in.readAllBytes(), StandardCharsets.UTF_8)
              : Files.readString(Path.of(file));
      return PolicyDocument.newBuilder().setYaml(yaml).build();
    } catch (IOException e) {
      throw new TowlineException(
          UNREADABLE, "file can't be read: " + file + " (" + e + ")", "check its name", e);
    }
  }
}
