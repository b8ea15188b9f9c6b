package dev.towline.relay;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.ConfigureRelay;
import dev.towline.proto.v1.RelayChildRole;
import dev.towline.runtime.identity.DurableFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** What the manager said this relay is, on the disk, so that a start needs no manager. */
final class RelayConfigStore {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final Path file;

  RelayConfigStore(Path data) {
    this.file = data.resolve("relay-configuration");
  }

  /** The default instance when there was never one. */
  ConfigureRelay load() throws IOException {
    if (!Files.exists(file)) {
      return ConfigureRelay.getDefaultInstance();
    }
    try {
      return ConfigureRelay.parseFrom(Files.readAllBytes(file));
    } catch (InvalidProtocolBufferException e) {
      throw new IOException(file + ": no configuration", e);
    }
  }

  /** Returns when it is on the disk. */
  void save(ConfigureRelay configuration) throws IOException {
    DurableFiles.replace(file, configuration.toByteArray());
  }

  /** The role as an enrollment file would say it. */
  static JsonNode asPairing(RelayChildRole role) {
    ObjectNode pairing = JSON.createObjectNode();
    pairing.put("child", "true");
    pairing.put("listen", "0.0.0.0:" + role.getDialPort());
    pairing.put("downstream", role.getDownstreamAddress());
    pairing.put("session-port", String.valueOf(role.getSessionPort()));
    pairing.put("public-port", String.valueOf(role.getPublicPort()));
    pairing.put("updates-port", String.valueOf(role.getUpdatesPort()));
    return pairing;
  }
}
