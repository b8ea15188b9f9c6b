package dev.towline.runtime.program;

import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.telemetry.BuildInfo;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/**
 * {@code config show}: each value and where it came from. A program's own class repeats {@code
 * Command} with {@link #NAME}, which is not inherited.
 */
@Command(
    name = ShowSettings.NAME,
    description = "Shows each value and where it came from.",
    mixinStandardHelpOptions = true,
    versionProvider = BuildInfo.class)
public abstract class ShowSettings implements Callable<Integer> {
  public static final String NAME = "show";

  /** By key, in the order in which they are shown. */
  protected abstract Map<String, SettingValue> settings();

  @Override
  public final Integer call() {
    settings()
        .forEach((key, setting) ->
            System.out.printf("%s: %s  # %s%n", key, setting.value(), setting.source()));
    return ProgramLine.OK;
  }
}
