package dev.towline.bench.communication;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.identity.IdentityStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Hosts that exist for the load alone: each with a directory and an identity of its own. */
final class LoadHosts {
  private static final int ENROLLING = 8;

  private LoadHosts() {}

  static HostFacts facts(String name) {
    return HostFacts.newBuilder()
        .setHostName(name)
        .setOs("debian")
        .setMachineId("machine-of-" + name)
        .setBootId("boot-of-" + name)
        .setAssetKind("HOST")
        .build();
  }

  /** Does something for each number below, several at a time. */
  static void each(int count, Numbered work) throws Exception {
    List<Future<?>> under = new ArrayList<>();
    try (ExecutorService pool = Executors.newFixedThreadPool(ENROLLING)) {
      for (int i = 0; i < count; i++) {
        int number = i;
        under.add(
            pool.submit(() -> {
              work.run(number);
              return number;
            }));
      }
    }
    for (Future<?> one : under) {
      var _ = one.get();
    }
  }

  /** Something with a number. */
  interface Numbered {
    void run(int number) throws Exception;
  }

  static EnrollmentOutcome.Issued enroll(
      EnrollmentClient client, EnrollmentFile file, Path home, String name)
      throws IOException, InterruptedException {
    Files.createDirectories(home);
    for (int attempt = 1; ; attempt++) {
      EnrollmentOutcome outcome =
          client.enroll(file, facts(name), new IdentityStore(home.resolve("identity")));
      if (outcome instanceof EnrollmentOutcome.Issued issued) {
        return issued;
      }
      if (attempt == 5) {
        throw new IllegalStateException(name + " was not enrolled: " + outcome);
      }
    }
  }
}
