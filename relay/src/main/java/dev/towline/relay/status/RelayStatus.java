package dev.towline.relay.status;

import dev.towline.relay.link.LinkCounters;
import dev.towline.runtime.identity.DurableFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The relay's state as it stands in {@code status.json}, for {@code towline-relay status} and for
 * scripts.
 *
 * @param detail why there is no session; empty while there is one
 * @param since when the state was entered
 * @param listening addresses for parents, for this host, and for hosts below
 */
public record RelayStatus(
    State state,
    long pid,
    String identity,
    String manager,
    String detail,
    Instant since,
    List<String> listening,
    List<LinkView> links) {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** What the relay is doing about its session. */
  public enum State {
    ENROLLING,
    OFFLINE,
    ONLINE,
    STOPPED
  }

  public RelayStatus {
    listening = List.copyOf(listening);
    links = List.copyOf(links);
  }

  /** In session, and the process that said so is still there. */
  public boolean healthy() {
    return state == State.ONLINE && ProcessHandle.of(pid).isPresent();
  }

  /** For people. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    boolean running = state == State.STOPPED || ProcessHandle.of(pid).isPresent();
    lines.add("state: " + (running ? state.name().toLowerCase(Locale.ROOT) : "not running"));
    add(lines, "identity", identity);
    add(lines, "manager", manager);
    add(lines, "detail", detail);
    lines.add("since: " + since);
    listening.forEach(address -> lines.add("listening: " + address));
    for (LinkView link : links) {
      Duration roundTrip = link.roundTrip();
      lines.add(
          "connection: %s %s#%d %s at %s since %s, %s, %d tunnels (%d stalled), %d in reserve, sent %d, received %d%s"
              .formatted(
                  link.toParent() ? "parent" : "child",
                  link.peer(),
                  link.index(),
                  link.state().name().toLowerCase(Locale.ROOT),
                  link.address(),
                  link.since(),
                  roundTrip == null ? "no round trip yet" : roundTrip.toNanos() / 1000 + " µs",
                  link.totals().open(),
                  link.totals().stalled(),
                  link.reserve(),
                  link.totals().bytesSent(),
                  link.totals().bytesReceived(),
                  link.lastError().isEmpty() ? "" : ", last error: " + link.lastError()));
    }
    return lines;
  }

  private static void add(List<String> lines, String name, String value) {
    if (!value.isEmpty()) {
      lines.add(name + ": " + value);
    }
  }

  /** Replaces the file. */
  public void write(Path file) throws IOException {
    DurableFiles.replace(file, (json().toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /** Empty when there is no status, or none that can be read. */
  public static Optional<RelayStatus> read(Path file) throws IOException {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      JsonNode root = JSON.readTree(Files.readString(file));
      List<String> listening = new ArrayList<>();
      root.path("listening").values().forEach(each -> listening.add(each.asString("")));
      List<LinkView> links = new ArrayList<>();
      root.path("connections").values().forEach(each -> links.add(link(each)));
      return Optional.of(
          new RelayStatus(
              State.valueOf(root.path("state").asString("OFFLINE")),
              root.path("pid").asLong(0),
              root.path("identity").asString(""),
              root.path("manager").asString(""),
              root.path("detail").asString(""),
              Instant.parse(root.path("since").asString("")),
              listening,
              links));
    } catch (JacksonException | IllegalArgumentException | java.time.DateTimeException e) {
      return Optional.empty();
    }
  }

  private ObjectNode json() {
    ObjectNode root = JSON.createObjectNode();
    root.put("state", state.name());
    root.put("pid", pid);
    root.put("identity", identity);
    root.put("manager", manager);
    root.put("detail", detail);
    root.put("since", since.toString());
    var addresses = root.putArray("listening");
    listening.forEach(addresses::add);
    var connections = root.putArray("connections");
    for (LinkView link : links) {
      ObjectNode each = connections.addObject();
      each.put("peer", link.peer());
      each.put("side", link.toParent() ? "parent" : "child");
      each.put("index", link.index());
      each.put("state", link.state().name());
      each.put("address", link.address());
      each.put("since", link.since().toString());
      Duration roundTrip = link.roundTrip();
      if (roundTrip != null) {
        each.put("round-trip-nanos", roundTrip.toNanos());
      }
      each.put("reserve", link.reserve());
      each.put("tunnels", link.totals().open());
      each.put("tunnels-stalled", link.totals().stalled());
      each.put("tunnels-opened", link.totals().opened());
      each.put("bytes-sent", link.totals().bytesSent());
      each.put("bytes-received", link.totals().bytesReceived());
      each.put("last-error", link.lastError());
    }
    return root;
  }

  private static LinkView link(JsonNode each) {
    @Nullable Duration roundTrip =
        each.has("round-trip-nanos")
            ? Duration.ofNanos(each.path("round-trip-nanos").asLong())
            : null;
    return new LinkView(
        each.path("peer").asString(""),
        each.path("side").asString("").equals("parent"),
        each.path("index").asInt(0),
        LinkView.State.valueOf(each.path("state").asString("DOWN")),
        each.path("address").asString(""),
        Instant.parse(each.path("since").asString("")),
        roundTrip,
        each.path("reserve").asInt(0),
        new LinkCounters.Totals(
            each.path("tunnels").asInt(0),
            each.path("tunnels-stalled").asInt(0),
            each.path("tunnels-opened").asLong(0),
            each.path("bytes-sent").asLong(0),
            each.path("bytes-received").asLong(0)),
        each.path("last-error").asString(""));
  }
}
