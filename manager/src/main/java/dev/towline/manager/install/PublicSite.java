package dev.towline.manager.install;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What hosts may ask for by HTTP before they are enrolled: an install script, whether its command
 * still holds, and packages. No answer holds a secret. Safe for use by several threads.
 */
public final class PublicSite {
  private static final Pattern SCRIPT = Pattern.compile("/install/([a-z0-9-]{1,64})\\.sh");
  private static final Pattern STATE =
      Pattern.compile(
          "/install/([a-z0-9-]{1,64})/state/([a-z0-9._-]{1,32})/([A-Za-z0-9._-]{1,32})");
  private static final Pattern PACKAGE = Pattern.compile("/packages/([A-Za-z0-9._+-]{1,200})");

  private final CommandChecks commands;
  private final Packages packages;

  public PublicSite(CommandChecks commands, Packages packages) {
    this.commands = commands;
    this.packages = packages;
  }

  /** What a path leads to. */
  public sealed interface Answer {
    record Text(String contentType, String text) implements Answer {}

    record File(java.nio.file.Path file) implements Answer {}

    record NotFound() implements Answer {}
  }

  /**
   * @param path as it was sent; none of the names used here needs encoding
   * @param source address of the caller
   */
  public Answer answer(String path, String source) {
    Matcher script = SCRIPT.matcher(path);
    if (script.matches()) {
      return commands
          .script(script.group(1))
          .<Answer>map(text -> new Answer.Text("application/x-sh", text))
          .orElseGet(Answer.NotFound::new);
    }
    Matcher state = STATE.matcher(path);
    if (state.matches()) {
      Optional<CommandChecks.Refusal> refusal =
          commands.check(state.group(1), state.group(2), state.group(3), source);
      return new Answer.Text(
          "text/plain; charset=utf-8",
          refusal.map(r -> "refused " + r.code() + ": " + r.message() + "\n").orElse("ok\n"));
    }
    Matcher file = PACKAGE.matcher(path);
    if (file.matches()) {
      return packages
          .file(file.group(1))
          .<Answer>map(Answer.File::new)
          .orElseGet(Answer.NotFound::new);
    }
    return new Answer.NotFound();
  }
}
