package dev.towline.cli.login;

import dev.towline.cli.error.Errors;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.identity.Pems;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/** The login in the operator's configuration directory; both files are readable by them only. */
public final class LoginStore {
  private static final String LOGIN = "login.json";
  private static final String ROOTS = "ca.pem";

  private final Path directory;
  private final JsonMapper json = JsonMapper.builder().build();

  public LoginStore(Path directory) {
    this.directory = directory;
  }

  private record LoginFile(String url, String user, String token, long expiresMs, String fleet) {}

  /** Empty before the first login and after a logout. */
  public Optional<StoredLogin> load() {
    Path file = directory.resolve(LOGIN);
    try {
      var login = json.readValue(Files.readString(file), LoginFile.class);
      List<X509Certificate> roots = Pems.readCertificates(directory.resolve(ROOTS));
      return Optional.of(
          new StoredLogin(
              login.url(), login.user(), login.token(), login.expiresMs(), login.fleet(), roots));
    } catch (NoSuchFileException _) {
      return Optional.empty();
    } catch (IOException | JacksonException e) {
      throw new TowlineException(
          Errors.FILE_FAILED,
          "failed to read the login in " + directory + ": " + e.getMessage(),
          "sign in again: towline login https://MANAGER:8444",
          e);
    }
  }

  public void save(StoredLogin login) {
    try {
      if (!Files.isDirectory(directory)) {
        Files.createDirectories(
            directory,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      }
      Pems.writeCertificates(directory.resolve(ROOTS), login.roots());
      var file =
          new LoginFile(login.url(), login.user(), login.token(), login.expiresMs(), login.fleet());
      DurableFiles.replace(
          directory.resolve(LOGIN),
          json.writerWithDefaultPrettyPrinter()
              .writeValueAsString(file)
              .getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw failed("failed to store the login in " + directory, e);
    }
  }

  /** Forgets the token; what the manager is trusted by stays for the next login. */
  public void delete() {
    try {
      Files.deleteIfExists(directory.resolve(LOGIN));
    } catch (IOException e) {
      throw failed("failed to delete the login in " + directory, e);
    }
  }

  public Path directory() {
    return directory;
  }

  private static TowlineException failed(String what, IOException e) {
    return new TowlineException(
        Errors.FILE_FAILED,
        what + ": " + e,
        "check the directory's owner and free space, or set TOWLINE_CONFIG_DIR",
        e);
  }
}
