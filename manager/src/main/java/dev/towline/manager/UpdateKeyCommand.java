package dev.towline.manager;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.telemetry.BuildInfo;
import dev.towline.runtime.updates.RootFile;
import dev.towline.runtime.updates.UpdateRefused;
import dev.towline.runtime.updates.UpdateSigner;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The root's keys of the repository of updates, on a machine that is no manager. */
@Command(
    name = "update-key",
    description = "Keys of the root of updates, for a machine without network.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class,
    subcommands = {UpdateKeyCommand.Create.class, UpdateKeyCommand.Sign.class})
final class UpdateKeyCommand implements Runnable {
  private static final ErrorCode FAILED = ErrorCode.external("UPDATE_KEY_FAILED");

  @Spec private CommandSpec command = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(
        command.commandLine(), "no command given (expected: create or sign)");
  }

  private static TowlineException failed(String what, Exception e) {
    return new TowlineException(FAILED, what + ": " + e.getMessage(), "check the path", e);
  }

  /** Makes a key. */
  @Command(
      name = "create",
      description = "Makes a key, and a file of its public half beside it.",
      mixinStandardHelpOptions = true,
      versionProvider = BuildInfo.class)
  static final class Create implements Callable<Integer> {
    @Parameters(paramLabel = "FILE", description = "Of the key; FILE.public is its public half.")
    private Path file = Path.of("");

    @Override
    public Integer call() {
      if (Files.exists(file)) {
        System.err.println("towline-manager: " + file + " is there already, it stays as it is");
        return 1;
      }
      try {
        UpdateSigner signer = UpdateSigner.create(new SecureRandom());
        signer.save(file);
        Path publicFile = file.resolveSibling(file.getFileName() + ".public");
        DurableFiles.replace(
            publicFile, (signer.publicKey().text() + "\n").getBytes(StandardCharsets.UTF_8));
        System.out.println("key     " + file + " (keep it where no manager is)");
        System.out.println("public  " + publicFile);
        System.out.println("id      " + signer.publicKey().id());
        return 0;
      } catch (IOException e) {
        throw failed("key " + file + " can't be written", e);
      }
    }
  }

  /** Signs a root. */
  @Command(
      name = "sign",
      description = "Adds a key's signature to a root that towline updates draft-root wrote.",
      mixinStandardHelpOptions = true,
      versionProvider = BuildInfo.class)
  static final class Sign implements Callable<Integer> {
    @Option(names = "--key", required = true, paramLabel = "FILE", description = "The key.")
    private Path key = Path.of("");

    @Parameters(paramLabel = "ROOT", description = "The root; it is replaced by the signed one.")
    private Path root = Path.of("");

    @Override
    public Integer call() {
      try {
        byte[] signed = RootFile.sign(Files.readAllBytes(root), UpdateSigner.load(key));
        DurableFiles.replace(root, signed);
        System.out.println(
            "root %d, which ends %s, is signed"
                .formatted(RootFile.read(signed).version(), RootFile.read(signed).expires()));
        return 0;
      } catch (IOException | UpdateRefused e) {
        throw failed("root " + root + " can't be signed", e);
      }
    }
  }
}
