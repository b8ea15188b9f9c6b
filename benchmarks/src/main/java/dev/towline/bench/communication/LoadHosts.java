package dev.towline.bench.communication;

import dev.towline.proto.v1.HostFacts;
import dev.towline.runtime.enroll.EnrollmentClient;
import dev.towline.runtime.enroll.EnrollmentFile;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.identity.IdentityStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Hosts that exist for the load alone: each with a directory and an identity of its own. */
final class LoadHosts {
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
