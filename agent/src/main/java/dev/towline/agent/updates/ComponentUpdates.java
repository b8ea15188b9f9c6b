package dev.towline.agent.updates;

import dev.towline.agent.updates.InstalledComponents.Installed;
import dev.towline.proto.v1.ComponentReport;
import dev.towline.proto.v1.UpdateReport;
import dev.towline.runtime.policy.UpdatePolicy;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.Release;
import dev.towline.runtime.updates.RepositoryClient;
import dev.towline.runtime.updates.RepositorySource;
import dev.towline.runtime.updates.TargetsMetadata;
import dev.towline.runtime.updates.TransferPace;
import dev.towline.runtime.updates.TrustedState;
import dev.towline.runtime.updates.UpdateRefused;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One look for updates: the sources from the first to the last until one gives everything that is
 * wanted. The next look begins with the first one again.
 *
 * <p>Threading: {@link #look} one at a time; {@link #report} from any thread. Failure: what a
 * source can't give is in the report, and the versions in force stay.
 */
final class ComponentUpdates {
  private static final Logger log = LoggerFactory.getLogger(ComponentUpdates.class);
  private static final Duration RATE_WINDOW = Duration.ofSeconds(30);

  private final Path data;
  private final InstantSource clock;
  private final Sources sources;
  private final InstalledComponents installed;
  private volatile UpdateReport report = UpdateReport.getDefaultInstance();

  /** Makes sources of what policies name. */
  interface Sources {
    RepositorySource open(String address, UpdatePolicy policy);
  }

  /**
   * @param clock as the fleet has it: a host's own may be off by years
   */
  ComponentUpdates(Path data, InstantSource clock, Sources sources) {
    this.data = data;
    this.clock = clock;
    this.sources = sources;
    this.installed = InstalledComponents.open(data.resolve("components.json"));
  }

  UpdateReport report() {
    return report;
  }

  /** What is here before the first look. */
  void remember(UpdatePolicy policy) {
    publish(policy, Map.of());
  }

  /** True when every component is the current one. */
  boolean look(UpdatePolicy policy) throws InterruptedException {
    Map<String, String> problems = new TreeMap<>();
    List<String> missing = new ArrayList<>(policy.components().keySet());
    if (!missing.isEmpty() && (policy.root().isEmpty() || policy.sources().isEmpty())) {
      String why =
          policy.root().isEmpty()
              ? "the policy names no repository to believe (updates.root)"
              : "the policy names no source (updates.source)";
      missing.forEach(component -> problems.put(component, why));
      missing.clear();
    }
    for (String address : policy.sources()) {
      if (missing.isEmpty()) {
        break;
      }
      problems.keySet().removeAll(missing);
      ask(address, policy, missing, problems);
    }
    publish(policy, problems);
    return problems.isEmpty();
  }

  /** Takes what the source has; what it fails to give stays among the missing. */
  private void ask(
      String address, UpdatePolicy policy, List<String> missing, Map<String, String> problems)
      throws InterruptedException {
    try {
      RepositorySource source = sources.open(address, policy);
      TrustedState state = TrustedState.open(data.resolve("trusted-" + policy.root() + ".json"));
      TargetsMetadata targets =
          new RepositoryClient(state, policy.root()).refresh(source, clock.instant()).targets();
      for (String component : List.copyOf(missing)) {
        String problem = take(source, targets, component, policy);
        if (problem.isEmpty()) {
          missing.remove(component);
          problems.remove(component);
        } else {
          problems.put(component, address + ": " + problem);
        }
      }
    } catch (UpdateRefused e) {
      log.warn("updates of {} are refused: {}: {}", address, e.reason().label(), e.getMessage());
      missing.forEach(component ->
          problems.put(
              component, "%s: %s: %s".formatted(address, e.reason().label(), e.getMessage())));
    } catch (IOException | RuntimeException e) {
      log.info("updates can't be had from {}: {}", address, e.getMessage());
      missing.forEach(component -> problems.put(component, address + ": " + e.getMessage()));
    }
  }

  private String take(
      RepositorySource source, TargetsMetadata targets, String component, UpdatePolicy policy)
      throws InterruptedException {
    Optional<Release> current = targets.current(component);
    if (current.isEmpty()) {
      return "it has no current version of this component";
    }
    Release release = current.get();
    var directory =
        new ComponentDirectory(Path.of(policy.components().getOrDefault(component, "/none")));
    String folder = ComponentDirectory.folder(release);
    try {
      if (!directory.has(folder)) {
        Manifest manifest = RepositoryClient.manifest(source, release);
        directory.apply(
            source,
            release,
            manifest,
            new TransferPace(policy.bandwidth(), policy.least(), RATE_WINDOW));
        log.info("{} {} is in force, from {}", component, release.version(), source.name());
      }
      if (installed.find(component).filter(one -> one.folder().equals(folder)).isEmpty()) {
        installed.put(
            component, new Installed(release.version(), folder, source.name(), clock.millis()));
      }
      return "";
    } catch (UpdateRefused e) {
      log.warn("{} of {} is refused: {}", component, source.name(), e.getMessage());
      return e.reason().label() + ": " + e.getMessage();
    } catch (IOException e) {
      log.info("{} can't be had from {}: {}", component, source.name(), e.getMessage());
      return String.valueOf(e.getMessage());
    }
  }

  private void publish(UpdatePolicy policy, Map<String, String> problems) {
    var next = UpdateReport.newBuilder();
    for (Map.Entry<String, String> component : policy.components().entrySet()) {
      var one =
          ComponentReport.newBuilder()
              .setComponent(component.getKey())
              .setDetail(problems.getOrDefault(component.getKey(), ""));
      installed
          .find(component.getKey())
          .filter(known -> isThere(component.getValue(), known))
          .ifPresent(known ->
              one.setVersion(known.version())
                  .setSource(known.source())
                  .setAppliedMs(known.appliedMs()));
      next.addComponents(one);
    }
    report = next.build();
  }

  private static boolean isThere(String directory, Installed known) {
    try {
      return new ComponentDirectory(Path.of(directory)).has(known.folder());
    } catch (IOException _) {
      return false;
    }
  }
}
