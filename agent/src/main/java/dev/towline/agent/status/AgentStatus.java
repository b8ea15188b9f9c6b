package dev.towline.agent.status;

import dev.towline.runtime.identity.DurableFiles;
import dev.towline.runtime.json.JsonTrees;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The agent's state as it stands in {@code status.json}, for {@code towline-agent status} and for
 * scripts.
 *
 * @param detail why there is no session; empty while there is one
 * @param since when the state was entered
 * @param lastHeartbeat the last authenticated round trip with the manager
 */
public record AgentStatus(
    State state,
    long pid,
    String identity,
    String manager,
    String server,
    String path,
    long generation,
    String detail,
    Instant since,
    @Nullable Instant lastHeartbeat,
    @Nullable Instant certificateExpires) {
  /** What the agent is doing about its session. */
  public enum State {
    ENROLLING,
    OFFLINE,
    ONLINE,
    /** Between two contacts of the short-lived form. */
    WAITING,
    STOPPED
  }

  /** A state without a session. */
  public static AgentStatus without(
      State state, long pid, String identity, String detail, Instant since) {
    return new AgentStatus(state, pid, identity, "", "", "", 0, detail, since, null, null);
  }

  /** In session, or due to be by schedule, and the process that said so is still there. */
  public boolean healthy() {
    return (state == State.ONLINE || state == State.WAITING) && ProcessHandle.of(pid).isPresent();
  }

  /** Replaces the file. */
  public void write(Path file) throws IOException {
    DurableFiles.replace(file, JsonTrees.text(json()).getBytes(StandardCharsets.UTF_8));
  }

  /** Empty when there is no status, or none that can be read. */
  public static Optional<AgentStatus> read(Path file) throws IOException {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      JsonNode root = JsonTrees.parse(Files.readString(file));
      return Optional.of(
          new AgentStatus(
              State.valueOf(root.path("state").asString("OFFLINE")),
              root.path("pid").asLong(0),
              root.path("identity").asString(""),
              root.path("manager").asString(""),
              root.path("server").asString(""),
              root.path("path").asString(""),
              root.path("generation").asLong(0),
              root.path("detail").asString(""),
              Optional.ofNullable(instant(root, "since")).orElse(Instant.EPOCH),
              instant(root, "last-heartbeat"),
              instant(root, "certificate-expires")));
    } catch (JacksonException | IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private ObjectNode json() {
    ObjectNode root = JsonTrees.newObject();
    root.put("state", state.name());
    root.put("pid", pid);
    root.put("identity", identity);
    root.put("manager", manager);
    root.put("server", server);
    root.put("path", path);
    root.put("generation", generation);
    root.put("detail", detail);
    root.put("since", since.toString());
    if (lastHeartbeat != null) {
      root.put("last-heartbeat", lastHeartbeat.toString());
    }
    if (certificateExpires != null) {
      root.put("certificate-expires", certificateExpires.toString());
    }
    return root;
  }

  private static @Nullable Instant instant(JsonNode root, String key) {
    String text = root.path(key).asString("");
    return text.isEmpty() ? null : Instant.parse(text);
  }
}
