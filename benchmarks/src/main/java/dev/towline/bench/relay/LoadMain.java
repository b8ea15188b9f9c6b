package dev.towline.bench.relay;

import dev.towline.bench.proxy.AgentLoad;
import dev.towline.testing.DelayingProxy;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * The processes around relays and proxies: {@code sink HOST PORT}, {@code client}, {@code delay
 * HOST PORT TO-HOST TO-PORT ONE-WAY-MS}, {@code agents SOURCE-ADDRESS}. Each answers one line on
 * standard output for one command on standard input, and ends with its input.
 */
public final class LoadMain {
  private LoadMain() {}

  /** Answers a command; throws what {@code error} shall say. */
  public interface Commands {
    String answer(String[] words) throws Exception;
  }

  public static void main(String[] arguments) throws Exception {
    Commands commands =
        switch (arguments[0]) {
          case "sink" -> new LoadSink(address(arguments, 1));
          case "client" -> new LoadClient();
          case "agents" -> new AgentLoad(arguments[1]);
          case "delay" -> {
            DelayingProxy proxy =
                new DelayingProxy(
                    address(arguments, 1),
                    address(arguments, 3),
                    Duration.ofMillis(Long.parseLong(arguments[5])));
            yield _ -> proxy.address().toString();
          }
          default -> throw new IllegalArgumentException("role: " + arguments[0]);
        };
    System.out.println("ready");
    serve(commands);
    System.exit(0);
  }

  private static void serve(Commands commands) throws IOException {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      try {
        System.out.println(("ok " + commands.answer(line.split(" "))).strip());
      } catch (Exception e) {
        System.out.println("error " + e.toString().replace('\n', ' '));
      }
    }
  }

  private static InetSocketAddress address(String[] arguments, int at) {
    return new InetSocketAddress(arguments[at], Integer.parseInt(arguments[at + 1]));
  }
}
