package dev.towline.manager.policies;

import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.firewall.FirewallPolicy;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.runtime.policy.SettingDuration;
import dev.towline.runtime.policy.UpdatePolicy;
import dev.towline.runtime.tls.TlsProfile;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Every setting there is. */
public final class Catalogue {
  public static final ErrorCode SETTING_INVALID = ErrorCode.user("SETTING_INVALID");

  /** In place of a value: what the level above says. */
  public static final String INHERITED = "inherited";

  public static final String MISSED_BEFORE_ALERT = "heartbeat.missed-before-alert";
  public static final String CLOCK_CHANGE = "heartbeat.clock-change-minutes";
  public static final String ALERT_WHEN_SHUT_DOWN = "heartbeat.alert-when-shut-down";

  /** Where the manager dials a host; empty: where it was seen to come from. */
  public static final String CALL_ADDRESS = "connection.address";

  private final Map<String, Setting> settings = new LinkedHashMap<>();

  /**
   * @param heartbeatInterval what holds for hosts whose policies don't say any
   * @param updateRoot by which hosts know the fleet's repository of updates; empty for none
   */
  public Catalogue(Duration heartbeatInterval, String updateRoot) {
    add(
        new Setting(
            EffectivePolicy.HEARTBEAT_INTERVAL,
            new Setting.Span(Duration.ofSeconds(5), Duration.ofHours(24)),
            SettingDuration.format(heartbeatInterval),
            true,
            "time between two heartbeats of a host"));
    add(
        new Setting(
            MISSED_BEFORE_ALERT,
            new Setting.Count("heartbeats", 0, 1_000_000),
            "2",
            false,
            "how many heartbeats in a row may be missing; the next one raises the alert"));
    add(
        new Setting(
            CLOCK_CHANGE,
            new Setting.Count("minutes", 1, 525_600),
            "5",
            false,
            "by how much a host's clock may be set; more raises an alert that is cleared by hand"));
    add(
        new Setting(
            ALERT_WHEN_SHUT_DOWN,
            new Setting.Switch(),
            "no",
            false,
            "whether a host that was shut down, not lost, raises an alert"));
    add(
        new Setting(
            EffectivePolicy.TLS_PROFILE,
            new Setting.Choice(Arrays.stream(TlsProfile.values()).map(TlsProfile::label).toList()),
            TlsProfile.MODERN.label(),
            true,
            "TLS versions and suites of a host, from its next connection on"));
    logs();
    connection();
    firewall();
    UpdateSettings.all(updateRoot).forEach(this::add);
  }

  private void logs() {
    add(
        new Setting(
            EffectivePolicy.LOG_FILES,
            new Setting.Files(32),
            EffectivePolicy.NO_FILES,
            true,
            "files whose new lines a host sends, beside those of its own configuration"));
    add(
        new Setting(
            EffectivePolicy.OWN_LOG,
            new Setting.Switch(),
            "yes",
            true,
            "whether the agent sends its own log, unless its own configuration forbids it"));
  }

  private void firewall() {
    add(
        new Setting(
            FirewallPolicy.ON,
            new Setting.Switch(),
            "no",
            true,
            "whether the rules of this policy are in force on the host, and no others of Towline"));
    add(
        new Setting(
            FirewallPolicy.STATEFUL,
            new Setting.Switch(),
            "yes",
            true,
            "whether packets of connections that were let through pass"));
    add(
        new Setting(
            FirewallPolicy.LISTS,
            new Setting.Tree(false, "YAML, a map: ip, mac, port, each with lists by name"),
            "{}",
            true,
            "lists of addresses and ports that rules name, see docs/firewall.md"));
    add(
        new Setting(
            FirewallPolicy.RULES,
            new Setting.Tree(true, "YAML, a list of rules"),
            "[]",
            true,
            "rules of the host's firewall, see docs/firewall.md"));
  }

  private void connection() {
    add(
        new Setting(
            EffectivePolicy.DIRECTION,
            new Setting.Choice(Direction.labels()),
            Direction.BIDIRECTIONAL.label(),
            true,
            "who dials whom; tried first, and back by itself when it does not work"));
    add(
        new Setting(
            EffectivePolicy.LISTEN_PORT,
            new Setting.Port(1),
            Integer.toString(EffectivePolicy.STANDARD_LISTEN_PORT),
            true,
            "where a host listens for its managers, in a direction in which it does"));
    add(
        new Setting(
            CALL_ADDRESS,
            new Setting.Addresses(),
            "",
            false,
            "where the manager dials a host, in this order; else where the host was seen"));
  }

  private void add(Setting setting) {
    settings.put(setting.name(), setting);
  }

  public List<Setting> settings() {
    return List.copyOf(settings.values());
  }

  public Optional<Setting> find(String name) {
    return Optional.ofNullable(settings.get(name));
  }

  /**
   * Applies changes to the values of a level; {@value #INHERITED} takes a value away.
   *
   * @throws TowlineException that names everything which is wrong
   */
  SortedMap<String, String> changed(Map<String, String> before, Map<String, String> changes) {
    List<String> problems = new ArrayList<>();
    SortedMap<String, String> after = new TreeMap<>(before);
    new TreeMap<>(changes)
        .forEach((name, value) -> {
          Optional<Setting> setting = find(name);
          if (setting.isEmpty()) {
            // What an earlier version knew can still be taken away.
            if (!value.equals(INHERITED) || after.remove(name) == null) {
              problems.add(
                  "setting: %s (expected: one of %s)"
                      .formatted(name, String.join(", ", settings.keySet())));
            }
          } else if (value.equals(INHERITED)) {
            after.remove(name);
          } else if (value.equals(UpdatePolicy.HIDDEN) && UpdatePolicy.isSecret(name)) {
            // As it is: whoever shows a secret does not know it.
            if (!before.containsKey(name)) {
              problems.add(name + ": no value yet (expected: one)");
            }
          } else {
            setting
                .get()
                .type()
                .canonical(value.strip())
                .ifPresentOrElse(
                    canonical -> after.put(name, canonical),
                    () ->
                        problems.add(
                            "%s: %s (expected: %s, or %s)"
                                .formatted(
                                    name, value, setting.get().type().allowed(), INHERITED)));
          }
        });
    if (!problems.isEmpty()) {
      throw new TowlineException(
          SETTING_INVALID,
          String.join("; ", problems),
          "see towline policies settings for every setting and its range");
    }
    return after;
  }
}
