package dev.towline.cli;

import com.google.protobuf.ByteString;
import dev.towline.cli.error.Errors;
import dev.towline.cli.error.ExitCodes;
import dev.towline.cli.output.OutputOptions;
import dev.towline.cli.output.Quantities;
import dev.towline.cli.output.Table;
import dev.towline.cli.output.Times;
import dev.towline.proto.v1.CheckSourceRequest;
import dev.towline.proto.v1.CheckSourceResponse;
import dev.towline.proto.v1.ComponentStatus;
import dev.towline.proto.v1.DraftRootRequest;
import dev.towline.proto.v1.GetServingRequest;
import dev.towline.proto.v1.GetUpdateStatusRequest;
import dev.towline.proto.v1.HostUpdate;
import dev.towline.proto.v1.ListReleasesRequest;
import dev.towline.proto.v1.ListReleasesResponse;
import dev.towline.proto.v1.PruneReleasesRequest;
import dev.towline.proto.v1.PruneReleasesResponse;
import dev.towline.proto.v1.Release;
import dev.towline.proto.v1.RemoveReleaseRequest;
import dev.towline.proto.v1.RoleExpiry;
import dev.towline.proto.v1.RootDocument;
import dev.towline.proto.v1.SelectReleaseRequest;
import dev.towline.proto.v1.Serving;
import dev.towline.proto.v1.SetServingRequest;
import dev.towline.proto.v1.SourceCheck;
import dev.towline.proto.v1.UpdateStatus;
import dev.towline.runtime.error.TowlineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "updates",
    header = "Publishes components and shows which hosts have them.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%nExamples:%n",
    footer = {
      "  towline updates import ./rules --component rules --version 2026.11",
      "  towline policies set base updates.components=rules=/opt/rules \\",
      "      updates.source=http://manager.example:8080/updates/",
      "  towline updates status"
    })
final class UpdatesCommand extends CommandGroup {
  private final CliContext context;

  UpdatesCommand(CliContext context) {
    this.context = context;
  }

  @Command(
      name = "import",
      header = "Publishes a directory or a file as a version of a component.",
      description =
          "Files that the manager has already are not sent again. The new version is the one that"
              + " hosts shall have, unless it is held back.")
  int importVersion(
      @Parameters(paramLabel = "DIR|FILE", description = "what to publish") Path source,
      @Option(names = "--component", required = true, description = "name of the component")
          String component,
      @Option(names = "--version", required = true, description = "name of the version")
          String version,
      @Option(names = "--hold", description = "publish it, but leave the current version")
          boolean hold,
      // Instead of the standard options, whose --version is another one.
      @Option(
              names = {"-h", "--help"},
              usageHelp = true,
              description = "Show this help message and exit.")
          boolean help,
      @Mixin OutputOptions output) {
    Release release;
    long sent;
    try (var client = context.connect()) {
      var run = new UpdateImport(client::updates);
      release = run.run(source, component, version, hold);
      sent = run.sent();
    }
    if (!output.isTable()) {
      output.print(release, context.out());
      return ExitCodes.OK;
    }
    context
        .out()
        .println(
            "%s %s is published: %d files, %s, of which %s had to be sent."
                .formatted(
                    release.getComponent(),
                    release.getVersion(),
                    release.getFiles(),
                    Quantities.size(release.getBytes()),
                    Quantities.size(sent)));
    if (!release.getCurrent()) {
      context
          .out()
          .println(
              "It is held back. Put it in force: towline updates select %s %s"
                  .formatted(component, version));
    }
    return ExitCodes.OK;
  }

  @Command(name = "list", header = "Lists versions.", mixinStandardHelpOptions = true)
  int list(@Mixin OutputOptions output) {
    ListReleasesResponse releases;
    try (var client = context.connect()) {
      releases = client.updates().listReleases(ListReleasesRequest.getDefaultInstance());
    }
    if (!output.isTable()) {
      output.print(releases, context.out());
      return ExitCodes.OK;
    }
    if (releases.getReleasesCount() == 0) {
      context
          .out()
          .println(
              "Nothing published. Publish: towline updates import DIR --component NAME --version"
                  + " V");
    } else {
      var table = new Table("COMPONENT", "VERSION", "CURRENT", "FILES", "SIZE");
      for (Release release : releases.getReleasesList()) {
        table.row(
            release.getComponent(),
            release.getVersion(),
            release.getCurrent() ? "yes" : "",
            Long.toString(release.getFiles()),
            Quantities.size(release.getBytes()));
      }
      table.print(context.out());
    }
    Instant now = context.clock().instant();
    context.out().println();
    context
        .out()
        .println("Root " + releases.getRoot() + (releases.getRootOffline() ? " (offline)" : ""));
    for (RoleExpiry expiry : releases.getExpiriesList()) {
      context
          .out()
          .println(
              "%s ends %s".formatted(expiry.getRole(), Times.until(expiry.getExpiresMs(), now)));
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "select",
      header = "Makes a version the one that hosts shall have, forward or back.",
      mixinStandardHelpOptions = true)
  int select(
      @Parameters(paramLabel = "COMPONENT", description = "name of the component") String component,
      @Parameters(paramLabel = "VERSION", description = "name of the version") String version,
      @Mixin OutputOptions output) {
    Release release;
    try (var client = context.connect()) {
      release =
          client
              .updates()
              .selectRelease(
                  SelectReleaseRequest.newBuilder()
                      .setComponent(component)
                      .setVersion(version)
                      .build());
    }
    return say(release, component + " " + version + " is the current version.", output);
  }

  @Command(name = "remove", header = "Takes a version away.", mixinStandardHelpOptions = true)
  int remove(
      @Parameters(paramLabel = "COMPONENT", description = "name of the component") String component,
      @Parameters(paramLabel = "VERSION", description = "name of the version") String version,
      @Mixin OutputOptions output) {
    Release release;
    try (var client = context.connect()) {
      release =
          client
              .updates()
              .removeRelease(
                  RemoveReleaseRequest.newBuilder()
                      .setComponent(component)
                      .setVersion(version)
                      .build());
    }
    return say(release, component + " " + version + " is gone.", output);
  }

  private int say(Release release, String line, OutputOptions output) {
    if (output.isTable()) {
      context.out().println(line);
    } else {
      output.print(release, context.out());
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "prune",
      header = "Takes old versions away, and files that nothing needs.",
      description = "The current version of each component always stays. Import does the same.",
      mixinStandardHelpOptions = true)
  int prune(
      @Option(names = "--keep", description = "versions beside the current one (default: 3)")
          @Nullable Integer keep,
      @Mixin OutputOptions output) {
    PruneReleasesResponse pruned;
    try (var client = context.connect()) {
      var request = PruneReleasesRequest.newBuilder();
      if (keep != null) {
        request.setKeep(keep);
      }
      pruned = client.updates().pruneReleases(request.build());
    }
    if (!output.isTable()) {
      output.print(pruned, context.out());
      return ExitCodes.OK;
    }
    for (Release release : pruned.getRemovedList()) {
      context.out().println(release.getComponent() + " " + release.getVersion() + " is gone.");
    }
    context.out().println(pruned.getRemovedCount() + " versions taken away.");
    return ExitCodes.OK;
  }

  @Command(
      name = "export",
      header = "Copies the published tree to a directory, for any web server to serve.",
      description =
          "Done again, only what is new is copied, and hosts that fetch from it meanwhile see the"
              + " old or the new publication.",
      mixinStandardHelpOptions = true)
  int export(
      @Parameters(paramLabel = "DIR", description = "empty, or an earlier export") Path directory) {
    try (var client = context.connect()) {
      var run = new UpdateExport(client::updates);
      int files = run.run(directory);
      context
          .out()
          .println(
              "%s has %d files; %s were copied."
                  .formatted(directory, files, Quantities.size(run.fetched())));
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "status",
      header = "Shows how many hosts have the current versions.",
      mixinStandardHelpOptions = true)
  int status(@Mixin OutputOptions output) {
    UpdateStatus status;
    try (var client = context.connect()) {
      status = client.updates().getUpdateStatus(GetUpdateStatusRequest.getDefaultInstance());
    }
    if (!output.isTable()) {
      output.print(status, context.out());
      return ExitCodes.OK;
    }
    var table = new Table("COMPONENT", "CURRENT", "APPLIED");
    for (ComponentStatus component : status.getComponentsList()) {
      table.row(
          component.getComponent(),
          component.getVersion(),
          "on %d of %d".formatted(component.getApplied(), component.getHosts()));
    }
    table.print(context.out());
    var others = new Table("COMPONENT", "HOST", "HAS", "FROM", "WHY");
    boolean any = false;
    for (ComponentStatus component : status.getComponentsList()) {
      for (HostUpdate host : component.getOtherHostsList()) {
        any = true;
        others.row(
            component.getComponent(),
            host.getHostName(),
            host.getVersion().isEmpty() ? "none" : host.getVersion(),
            host.getSource(),
            host.getDetail());
      }
    }
    if (any) {
      context.out().println();
      others.print(context.out());
    }
    return ExitCodes.OK;
  }

  @Command(
      name = "check",
      header = "Tries a source of updates as a host would, from the manager.",
      mixinStandardHelpOptions = true)
  int check(
      @Parameters(paramLabel = "URL", description = "address of the tree") String url,
      @Option(names = "--user", defaultValue = "", description = "user at the source") String user,
      @Option(names = "--password-file", description = "file with the password, - for input")
          @Nullable Path passwordFile,
      @Mixin OutputOptions output) {
    CheckSourceResponse response;
    try (var client = context.connect()) {
      response =
          client
              .updates()
              .checkSource(
                  CheckSourceRequest.newBuilder()
                      .setUrl(url)
                      .setUser(user)
                      .setPassword(
                          user.isEmpty()
                              ? ""
                              : Passwords.read(context, passwordFile, "Password of " + user))
                      .build());
    }
    boolean passed = response.getChecksList().stream().allMatch(SourceCheck::getPassed);
    if (output.isTable()) {
      for (SourceCheck check : response.getChecksList()) {
        context
            .out()
            .println(
                "%-7s %s: %s"
                    .formatted(
                        check.getPassed() ? "ok" : "FAILED", check.getName(), check.getDetail()));
      }
    } else {
      output.print(response, context.out());
    }
    return passed ? ExitCodes.OK : ExitCodes.FAILED;
  }

  @Command(
      name = "serve",
      header = "Shows or sets how managers serve the tree.",
      description = "Without options it only shows.",
      mixinStandardHelpOptions = true)
  int serve(
      @Option(names = "--path", description = "for instance /updates/") @Nullable String path,
      @Option(names = "--listing", description = "yes: folders are shown")
          @Nullable Boolean listing,
      @Option(names = "--user", description = "ask for this user and a password")
          @Nullable String user,
      @Option(names = "--password-file", description = "file with the password, - for input")
          @Nullable Path passwordFile,
      @Option(names = "--open", description = "ask nobody for a password") boolean open,
      @Mixin OutputOptions output) {
    if (open && user != null) {
      throw new TowlineException(
          Errors.USAGE, "--open and --user: both (expected: one of them)", "leave one out");
    }
    Serving serving;
    try (var client = context.connect()) {
      if (path == null && listing == null && user == null && !open) {
        serving = client.updates().getServing(GetServingRequest.getDefaultInstance());
      } else {
        var request = SetServingRequest.newBuilder();
        if (path != null) {
          request.setPath(path);
        }
        if (listing != null) {
          request.setListing(listing);
        }
        if (user != null) {
          request
              .setUser(user)
              .setPassword(Passwords.read(context, passwordFile, "Password of " + user));
        } else if (open) {
          request.setUser("");
        }
        serving = client.updates().setServing(request.build());
      }
    }
    if (!output.isTable()) {
      output.print(serving, context.out());
      return ExitCodes.OK;
    }
    var sheet = new Sheet(context.out());
    sheet.line("Path", serving.getPath());
    sheet.line("Listing", serving.getListing() ? "yes" : "no");
    sheet.line("User", serving.getUser().isEmpty() ? "none is asked for" : serving.getUser());
    return ExitCodes.OK;
  }

  @Command(
      name = "draft-root",
      header = "Writes the next root, with the signatures that the manager can make.",
      description =
          "For new keys, or to keep the root's keys off the manager: towline-manager update-key"
              + " signs the file where the keys are; publish-root publishes it.",
      mixinStandardHelpOptions = true)
  int draftRoot(
      @Parameters(paramLabel = "FILE", description = "where to write it") Path file,
      @Option(
              names = "--root-key",
              paramLabel = "PUBLIC",
              description = "public key file of a key that shall sign roots; may be repeated")
          @Nullable List<Path> rootKeys,
      @Option(names = "--threshold", defaultValue = "0", description = "how many have to sign")
          int threshold,
      @Option(names = "--rotate", description = "new keys for what the manager signs")
          boolean rotate) {
    var request = DraftRootRequest.newBuilder().setThreshold(threshold).setRotate(rotate);
    try (var client = context.connect()) {
      for (Path key : rootKeys == null ? List.<Path>of() : new ArrayList<>(rootKeys)) {
        request.addPublicKeys(Files.readString(key).strip());
      }
      RootDocument root = client.updates().draftRoot(request.build());
      Files.write(file, root.getRoot().toByteArray());
    } catch (IOException e) {
      throw failed(file, e);
    }
    context.out().println("The next root is in " + file + ". It holds no secret.");
    return ExitCodes.OK;
  }

  @Command(
      name = "publish-root",
      header = "Publishes a root that enough keys have signed.",
      mixinStandardHelpOptions = true)
  int publishRoot(
      @Parameters(paramLabel = "FILE", description = "from draft-root, signed") Path file) {
    long version;
    try (var client = context.connect()) {
      version =
          client
              .updates()
              .publishRoot(
                  RootDocument.newBuilder()
                      .setRoot(ByteString.copyFrom(Files.readAllBytes(file)))
                      .build())
              .getVersion();
    } catch (IOException e) {
      throw failed(file, e);
    }
    context.out().println("Root " + version + " is published; everything is signed anew.");
    return ExitCodes.OK;
  }

  private static TowlineException failed(Path file, IOException e) {
    return new TowlineException(
        Errors.FILE_FAILED,
        "failed to read or write " + file + ": " + e.getMessage(),
        "check the path and its permissions",
        e);
  }
}
