package dev.towline.bench.proxy;

import dev.towline.bench.relay.LoadMain;
import dev.towline.proto.v1.EnrollmentServiceGrpc;
import dev.towline.runtime.enroll.EnrollmentFile;
import io.grpc.netty.shaded.io.netty.bootstrap.Bootstrap;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelInitializer;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollSocketChannel;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The agents of one process: {@code hosts COUNT PREFIX}, {@code enroll FROM TO HOST:PORT FILE
 * WINDOW}, {@code open FROM TO HOST:PORT[,HOST:PORT] WINDOW}, {@code servers HOST:PORT[,…]}, {@code
 * numbers} (online, welcomes so far), {@code ends}, {@code stop FROM TO}. Times are answered in
 * seconds.
 *
 * <p>Threading: commands come one after another; agents live on two event loops.
 */
public final class AgentLoad implements LoadMain.Commands {
  private static final int LOOPS = 2;
  private static final int CONNECT_MILLIS = 10_000;

  private final String source;
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());
  private final Counts counts = new Counts();
  private final AtomicReference<@Nullable List<X509Certificate>> roots = new AtomicReference<>();
  private List<LoadHost> hosts = List.of();
  private final List<LoadAgent> agents = new ArrayList<>();
  private @Nullable AgentTls tls;
  private String fleet = "";

  /**
   * @param source the address that connections come from; a process has its own, for the ports
   */
  public AgentLoad(String source) {
    this.source = source;
  }

  @Override
  public String answer(String[] words) throws Exception {
    return switch (words[0]) {
      case "hosts" -> hosts(Integer.parseInt(words[1]), words[2]);
      case "enroll" ->
          enroll(
              hosts.subList(Integer.parseInt(words[1]), Integer.parseInt(words[2])),
              addresses(words[3]).getFirst(),
              EnrollmentFile.read(Path.of(words[4])),
              Integer.parseInt(words[5]));
      case "open" ->
          open(
              Integer.parseInt(words[1]),
              Integer.parseInt(words[2]),
              addresses(words[3]),
              Integer.parseInt(words[4]));
      case "servers" -> servers(addresses(words[1]));
      case "numbers" -> counts.online.sum() + " " + counts.welcomes.sum();
      case "ends" -> counts.takeEnds().toString().replace(' ', '_');
      case "stop" -> stop(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
      default -> throw new IllegalArgumentException("command: " + words[0]);
    };
  }

  private String hosts(int count, String prefix) {
    var random = new SecureRandom();
    hosts =
        IntStream.range(0, count)
            .parallel()
            .mapToObj(i -> new LoadHost(prefix + i, random))
            .toList();
    return "";
  }

  /** Seconds, and how many did not succeed. */
  private String enroll(List<LoadHost> some, InetSocketAddress at, EnrollmentFile file, int window)
      throws InterruptedException {
    fleet = file.fleet();
    var failed = new AtomicInteger();
    var left = new CountDownLatch(some.size());
    var room = new Semaphore(window);
    long from = System.nanoTime();
    for (LoadHost host : some) {
      room.acquire();
      var done = new CompletableFuture<List<X509Certificate>>();
      done.whenComplete((fleetRoots, failure) -> {
        if (failure == null) {
          roots.set(fleetRoots);
        } else {
          failed.incrementAndGet();
          counts.ended("enrollment: " + failure.getMessage());
        }
        room.release();
        left.countDown();
      });
      var call =
          new GrpcCall(
              "/" + EnrollmentServiceGrpc.getEnrollMethod().getFullMethodName(),
              at.getHostString() + ":" + at.getPort(),
              host.new Enrolling(file, done));
      connect(at, AgentTls.ENROLLING, host, loops.next(), call);
    }
    if (!left.await(5, TimeUnit.MINUTES)) {
      throw new IllegalStateException(left.getCount() + " enrollments did not end");
    }
    return seconds(from) + " " + failed.get();
  }

  /** Seconds until all of them are online. */
  private String open(int from, int to, List<InetSocketAddress> servers, int window)
      throws InterruptedException {
    AgentTls present = tls;
    List<X509Certificate> known = roots.get();
    if (present == null && known != null) {
      present = new AgentTls(fleet, known);
      tls = present;
    }
    if (present == null) {
      throw new IllegalStateException("nobody is enrolled");
    }
    AgentTls fleetTls = present;
    LoadAgent.Connector connector =
        (at, host, loop, call) -> connect(at, fleetTls.outer(), host, loop, call);
    long began = System.nanoTime();
    long before = counts.welcomes.sum();
    for (int i = from; i < to; i++) {
      EventLoop loop = loops.next();
      var agent = new LoadAgent(hosts.get(i), fleetTls, connector, counts, loop);
      agents.add(agent);
      int started = i - from;
      until(300, () -> started - (counts.welcomes.sum() - before) < window);
      loop.execute(() -> agent.start(servers));
    }
    until(300, () -> counts.online.sum() >= agents.size());
    return seconds(began);
  }

  private String servers(List<InetSocketAddress> servers) {
    agents.forEach(agent -> agent.loop().execute(() -> agent.servers(servers)));
    return "";
  }

  private String stop(int from, int to) throws InterruptedException {
    List<LoadAgent> leaving = agents.subList(from, to);
    leaving.forEach(agent -> agent.loop().execute(agent::stop));
    leaving.clear();
    until(60, () -> counts.online.sum() <= agents.size());
    return "";
  }

  private void connect(
      InetSocketAddress to, SslContext context, LoadHost host, EventLoop loop, GrpcCall call) {
    var _ =
        new Bootstrap()
            .group(loop)
            .channel(EpollSocketChannel.class)
            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLIS)
            .option(ChannelOption.TCP_NODELAY, true)
            .handler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel
                        .pipeline()
                        .addLast(new AgentTls.Turn(host.identityOrNull()))
                        .addLast(context.newHandler(channel.alloc()))
                        .addLast(call);
                  }
                })
            .connect(to, new InetSocketAddress(source, 0))
            .addListener(result -> {
              if (!result.isSuccess()) {
                call.refused(String.valueOf(result.cause().getMessage()));
              }
            });
  }

  private void until(int seconds, BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(
            "not within %d s: %d online, %s"
                .formatted(seconds, counts.online.sum(), counts.takeEnds()));
      }
      Thread.sleep(1);
    }
  }

  private static String seconds(long from) {
    return Double.toString((System.nanoTime() - from) / 1e9);
  }

  private static List<InetSocketAddress> addresses(String list) {
    return Arrays.stream(list.split(","))
        .map(text -> {
          int colon = text.lastIndexOf(':');
          return new InetSocketAddress(
              text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)));
        })
        .toList();
  }
}
