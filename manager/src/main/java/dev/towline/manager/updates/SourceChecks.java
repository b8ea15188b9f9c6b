package dev.towline.manager.updates;

import dev.towline.proto.v1.SourceCheck;
import dev.towline.runtime.updates.HttpSource;
import dev.towline.runtime.updates.Manifest;
import dev.towline.runtime.updates.Publication;
import dev.towline.runtime.updates.Release;
import dev.towline.runtime.updates.RepositoryClient;
import dev.towline.runtime.updates.RepositoryPaths;
import dev.towline.runtime.updates.TrustedState;
import dev.towline.runtime.updates.UpdateRefused;
import java.io.IOException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLSocketFactory;

/**
 * Tries a source as a host would (U3): does it answer, with this user and password, with what this
 * fleet has signed, and with files whose names have no extension.
 *
 * <p>Threading: safe for use by several threads; blocks while it asks.
 */
public final class SourceChecks {
  private static final long SMALL = 1 << 20;

  private final UpdateRepository repository;
  private final SSLSocketFactory tls;
  private final InstantSource clock;

  /**
   * @param tls what hosts trust: the fleet's own servers, and others by the platform's authorities
   */
  public SourceChecks(UpdateRepository repository, SSLSocketFactory tls, InstantSource clock) {
    this.repository = repository;
    this.tls = tls;
    this.clock = clock;
  }

  public List<SourceCheck> check(String url, String user, String password) {
    if (!HttpSource.isAddress(url)) {
      throw UpdateErrors.invalid(
          "address: %s (expected: http or https, with a host and without user)".formatted(url),
          "give user and password by themselves");
    }
    var source =
        new HttpSource(url, user, password, tls, System::nanoTime, TimeUnit.NANOSECONDS::sleep);
    List<SourceCheck> checks = new ArrayList<>();
    try {
      Publication publication =
          new RepositoryClient(TrustedState.inMemory(), repository.rootPin())
              .refresh(source, clock.instant());
      checks.add(
          passed(
              "signed",
              "publication %d of this fleet, good until %s"
                  .formatted(publication.timestamp().version(), publication.expires())));
      checks.add(passed("credentials", user.isEmpty() ? "none are asked for" : "accepted"));
      checks.add(current(publication));
      checks.add(file(source, publication));
    } catch (IOException e) {
      checks.add(failed("answers", String.valueOf(e.getMessage())));
    } catch (UpdateRefused e) {
      checks.add(failed("signed", e.reason().label() + ": " + e.getMessage()));
    }
    return checks;
  }

  private SourceCheck current(Publication publication) {
    List<Release> here = repository.releases();
    return publication.targets().releases().equals(here)
        ? passed("current", "the same versions as on this manager")
        : failed(
            "current",
            "other versions than on this manager: it is a copy of an earlier publication");
  }

  /** A file named by its content alone: servers that go by extensions refuse those. */
  private static SourceCheck file(HttpSource source, Publication publication) {
    for (Release release : publication.targets().releases()) {
      try {
        Optional<Manifest.Entry> small =
            RepositoryClient.manifest(source, release).entries().stream()
                .filter(entry -> entry.size() <= SMALL)
                .findFirst();
        if (small.isPresent()) {
          Manifest.Entry entry = small.get();
          Optional<byte[]> content =
              source.fetch(RepositoryPaths.file(entry.sha256()), entry.size());
          if (content.isEmpty()) {
            return failed(
                "files",
                "a file without extension is not found: let the server give any file as"
                    + " application/octet-stream");
          }
          return content.get().length == entry.size()
              ? passed("files", "a file without extension came whole: " + entry.path())
              : failed("files", "a file without extension did not come whole: " + entry.path());
        }
      } catch (IOException | UpdateRefused e) {
        return failed("files", String.valueOf(e.getMessage()));
      }
    }
    return passed("files", "no component has been imported yet, nothing to fetch");
  }

  private static SourceCheck passed(String name, String detail) {
    return SourceCheck.newBuilder().setName(name).setPassed(true).setDetail(detail).build();
  }

  private static SourceCheck failed(String name, String detail) {
    return SourceCheck.newBuilder().setName(name).setDetail(detail).build();
  }
}
