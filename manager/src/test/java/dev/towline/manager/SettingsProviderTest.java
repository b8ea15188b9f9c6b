package dev.towline.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.runtime.config.SettingValue;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine.Model.OptionSpec;

final class SettingsProviderTest {
  private static final Set<String> KEYS = Set.of("session-port", "advertise");

  @TempDir Path directory;

  @Test
  void setting_inEnvironmentAndFile_isThatOfTheEnvironment() throws Exception {
    Path file = write("session-port: 1234\nadvertise: [a.example, b.example]\n");
    SettingsProvider provider =
        SettingsProvider.of(
            List.of("serve", "--config", file.toString()),
            Map.of("TOWLINE_MANAGER_SESSION_PORT", "99"),
            KEYS);
    assertThat(provider.defaultValue(option("--session-port"))).isEqualTo("99");
    assertThat(provider.find(option("--advertise")).orElseThrow())
        .isEqualTo(new SettingValue("a.example,b.example", "file " + file));
    assertThat(provider.defaultValue(option("--listen"))).isNull();
  }

  @Test
  void file_withUnknownKeys_namesAllOfThem() throws Exception {
    Path file = write("sesion-port: 1\nlisten-on: 2\n");
    assertThatThrownBy(() -> SettingsProvider.of(List.of("--config=" + file), Map.of(), KEYS))
        .hasMessageContaining("sesion-port")
        .hasMessageContaining("listen-on");
  }

  private Path write(String text) throws Exception {
    return Files.writeString(directory.resolve("manager.yaml"), text);
  }

  private static OptionSpec option(String name) {
    return OptionSpec.builder(name).build();
  }
}
