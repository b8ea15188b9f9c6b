package dev.towline.it.sending;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.Event;
import dev.towline.proto.v1.ListEventsRequest;
import dev.towline.proto.v1.ListLogsRequest;
import dev.towline.proto.v1.ListLogsResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A manager, proxies of one cluster, and agents that report a file each. */
final class SendingFleet implements AutoCloseable {
  static final Duration BOUND = Duration.ofSeconds(120);
  static final String CLUSTER = "dc1";

  private static final int FIRST_PROXY = 10;
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final ProcessFleet fleet;
  private final Path directory;
  private final IntFunction<Optional<String>> namespaces;
  private Program manager;

  SendingFleet(Path directory) {
    this(directory, LoopbackAddresses.free(new Random()), _ -> Optional.empty());
  }

  /**
   * @param namespaces the network namespace of each proxy, where it has one
   */
  SendingFleet(
      Path directory, LoopbackAddresses addresses, IntFunction<Optional<String>> namespaces) {
    this.directory = directory;
    this.namespaces = namespaces;
    this.fleet =
        new ProcessFleet(
            Path.of(System.getProperty("towline.repository", "..")),
            directory,
            addresses,
            List.of());
    this.manager = fleet.startManager();
    // The name is never looked up: each agent is given one proxy.
    fleet.towline(
        "proxies", "create-cluster", CLUSTER, "--address", "proxies.invalid", "--port", "443");
  }

  ProcessFleet fleet() {
    return fleet;
  }

  Program manager() {
    return manager;
  }

  String proxyAddress(int number) {
    return fleet.host(FIRST_PROXY + number);
  }

  Path proxyData(int number) {
    return directory.resolve("proxy-" + number);
  }

  Program startProxy(int number) throws IOException {
    Path enrollment = directory.resolve("proxy-" + number + ".json");
    if (!Files.exists(enrollment)) {
      fleet.towline("proxies", "command", CLUSTER, "--enrollment-file", enrollment.toString());
    }
    List<String> arguments =
        List.of(
            "run",
            "--data",
            proxyData(number).toString(),
            "--enrollment",
            enrollment.toString(),
            "--listen",
            proxyAddress(number),
            "--http-port",
            "8080");
    String name = "proxy-" + number;
    Program proxy =
        namespaces
            .apply(number)
            .map(space -> fleet.startIn(space, name, "towline-proxy", arguments))
            .orElseGet(() -> fleet.start(name, "towline-proxy", arguments));
    proxy.awaitLine("towline-proxy online", BOUND);
    return proxy;
  }

  /**
   * An agent that reports {@link #logFile}; through one of these proxies, or directly when the only
   * one is 0.
   */
  Program startAgent(String name, int... proxies) throws IOException {
    CreateInstallCommandRequest.Builder request =
        CreateInstallCommandRequest.newBuilder()
            .setOs("linux")
            .setGroup("web")
            .setExpiresInMs(3_600_000)
            .setMaxUses(1);
    if (proxies[0] > 0) {
      request.setProxyCluster(CLUSTER);
    }
    String enrollment =
        fleet.admin().installCommands().createInstallCommand(request.build()).getEnrollmentFile();
    Path file = directory.resolve(name + ".json");
    String servers =
        IntStream.of(proxies)
            .mapToObj(proxy -> "\"" + proxyAddress(proxy) + ":443\"")
            .collect(Collectors.joining(","));
    Files.writeString(file, enrollment.replace("\"proxies.invalid:443\"", servers));
    Files.createFile(logFile(name));
    Path config = directory.resolve(name + ".yaml");
    Files.writeString(config, "log-files:\n  - " + logFile(name) + "\nlog-megabytes: 64\n");
    Program agent =
        fleet.start(
            name,
            "towline-agent",
            List.of(
                "run",
                "--data",
                directory.resolve("data-" + name).toString(),
                "--name",
                name,
                "--enrollment",
                file.toString(),
                "--config",
                config.toString()));
    agent.awaitLine("towline-agent online", BOUND);
    return agent;
  }

  Path logFile(String name) {
    return directory.resolve(name + "-app.log");
  }

  void append(String name, int first, int last) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = first; i <= last; i++) {
      lines.append("line ").append(i).append('\n');
    }
    append(name, lines.toString());
  }

  void append(String name, String text) throws IOException {
    Files.writeString(logFile(name), text, StandardOpenOption.APPEND);
  }

  /** Items of this type in the spool of a proxy, as it says itself. */
  long kept(int proxy, String type) {
    return status(proxy).path("kept").path(type).asLong(0);
  }

  /** Agents that are connected with a proxy, as it says itself. */
  long clients(int proxy) {
    return status(proxy).path("load").path("clients").asLong(0);
  }

  private JsonNode status(int proxy) {
    try {
      return JSON.readTree(Files.readAllBytes(proxyData(proxy).resolve("status.json")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  List<Event> events(String code) {
    return fleet
        .admin()
        .events()
        .listEvents(ListEventsRequest.newBuilder().setCode(code).setPageSize(1000).build())
        .getEventsList();
  }

  /** Messages that came from the file, in the order in which the manager stored them. */
  List<String> stored(String name) {
    List<String> messages = new ArrayList<>();
    String next = "";
    do {
      ListLogsResponse page =
          fleet
              .admin()
              .logs()
              .listLogs(
                  ListLogsRequest.newBuilder()
                      .setHost(name)
                      .setSource(logFile(name).toString())
                      .setPageToken(next)
                      .setPageSize(1000)
                      .build());
      page.getLogsList().forEach(log -> messages.add(log.getMessage()));
      next = page.getNextPageToken();
    } while (!next.isEmpty());
    return messages.reversed();
  }

  @Override
  public void close() {
    fleet.close();
  }
}
