package dev.towline.bench.inner;

import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Pems;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.TrustAnchors;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A manager's end of many inner connections, and in a process of its own the agents' ends, each
 * with a certificate of its own. They talk over pipes, one handshake after another, so that the
 * manager's memory holds nothing of the agents and thread time is that of one side.
 */
final class InnerProcess {
  private static final String FLEET = "bench";
  private static final int WARM_UP = 1_000;
  private static final int FRAMES = 20_000;
  private static final int FRAME_BYTES = 200;

  private InnerProcess() {}

  /**
   * {@code manager KIND SESSIONS DIRECTORY} or {@code agents KIND SESSIONS DIRECTORY}; the agents
   * talk over standard input and output.
   */
  public static void main(String[] arguments) throws Exception {
    InnerKind kind = InnerKind.valueOf(arguments[1]);
    int sessions = Integer.parseInt(arguments[2]);
    Path directory = Path.of(arguments[3]);
    if (arguments[0].equals("manager")) {
      manager(kind, sessions, directory);
    } else {
      agents(kind, sessions, directory);
    }
    System.exit(0);
  }

  private static void manager(InnerKind kind, int sessions, Path directory) throws Exception {
    var random = new SecureRandom();
    var root = CertificateAuthority.newRoot(FLEET, Clock.systemUTC(), random);
    var issuing = root.newIssuing();
    Pems.writeCertificates(directory.resolve("root.pem"), List.of(root.certificate()));
    Pems.writeCertificates(directory.resolve("issuing.pem"), List.of(issuing.certificate()));
    Pems.writePrivateKey(directory.resolve("issuing.key"), issuing.key());
    IssuedIdentity own = issue(issuing, Role.MANAGER, "m1", random);
    PeerVerifier verifier = verifier(root.certificate());
    InnerKind.Factory factory = kind.factory(false, () -> own, verifier);
    Process agents = startAgents(kind, sessions, directory);
    try (var in = new DataInputStream(agents.getInputStream());
        var out = new DataOutputStream(agents.getOutputStream())) {
      List<InnerEnd> held = new ArrayList<>();
      for (int i = 0; i < WARM_UP; i++) {
        InnerEnd end = factory.newEnd();
        handshake(end, in, out);
        end.release();
      }
      long heapBefore = usedHeap();
      long rssBefore = rss();
      long cpu = 0;
      long bytesUp = 0;
      long bytesDown = 0;
      for (int i = 0; i < sessions; i++) {
        InnerEnd end = factory.newEnd();
        long[] cost = handshake(end, in, out);
        held.add(end);
        cpu += cost[0];
        bytesUp += cost[1];
        bytesDown += cost[2];
      }
      long heap = usedHeap() - heapBefore;
      long rss = rss() - rssBefore;
      long openCpu = frames(held.getLast(), in);
      long agentCpu = in.readLong();
      int overhead = in.readInt();
      System.out.printf(
          "heap=%d rss=%d manager_us=%.1f agent_us=%.1f up=%d down=%d overhead=%d open_us=%.2f%n",
          heap / sessions,
          rss / sessions,
          cpu / 1e3 / sessions,
          agentCpu / 1e3 / sessions,
          bytesUp / sessions,
          bytesDown / sessions,
          overhead,
          openCpu / 1e3 / FRAMES);
      held.forEach(InnerEnd::release);
    }
  }

  /** Thread time, bytes that came, bytes that went. */
  private static long[] handshake(InnerEnd end, DataInputStream in, DataOutputStream out)
      throws Exception {
    long from = threadCpu();
    long cpu = 0;
    long came = 0;
    long went = end.start().length;
    cpu += threadCpu() - from;
    while (!end.established()) {
      byte[] bytes = in.readNBytes(in.readInt());
      came += bytes.length;
      from = threadCpu();
      byte[] answer = end.feed(bytes);
      cpu += threadCpu() - from;
      went += answer.length;
      out.writeInt(answer.length);
      out.write(answer);
      out.flush();
    }
    return new long[] {cpu, came, went};
  }

  private static long frames(InnerEnd end, DataInputStream in) throws Exception {
    long cpu = 0;
    for (int i = 0; i < FRAMES; i++) {
      byte[] frame = in.readNBytes(in.readInt());
      long from = threadCpu();
      int length = end.open(frame).length;
      cpu += threadCpu() - from;
      if (length != FRAME_BYTES) {
        throw new IOException("frame of " + length + " bytes");
      }
    }
    return cpu;
  }

  private static void agents(InnerKind kind, int sessions, Path directory) throws Exception {
    var random = new SecureRandom();
    X509Certificate root = Pems.readCertificates(directory.resolve("root.pem")).getFirst();
    var issuing =
        new CertificateAuthority(
            FLEET,
            Pems.readCertificates(directory.resolve("issuing.pem")).getFirst(),
            Pems.readPrivateKey(directory.resolve("issuing.key")),
            Clock.systemUTC(),
            random);
    var identity = new AtomicReference<>(issue(issuing, Role.AGENT, "a0", random));
    InnerKind.Factory factory = kind.factory(true, identity::get, verifier(root));
    var in = new DataInputStream(System.in);
    var out = new DataOutputStream(new java.io.BufferedOutputStream(System.out, 64 << 10));
    long cpu = 0;
    for (int i = 0; i < WARM_UP + sessions; i++) {
      identity.set(issue(issuing, Role.AGENT, "a" + i, random));
      InnerEnd end = factory.newEnd();
      long from = threadCpu();
      byte[] bytes = end.start();
      long spent = threadCpu() - from;
      while (true) {
        if (bytes.length > 0) {
          out.writeInt(bytes.length);
          out.write(bytes);
          out.flush();
        } else if (end.established()) {
          break;
        }
        byte[] answer = in.readNBytes(in.readInt());
        from = threadCpu();
        bytes = end.feed(answer);
        spent += threadCpu() - from;
      }
      if (i >= WARM_UP) {
        cpu += spent;
      }
      if (i == WARM_UP + sessions - 1) {
        byte[] frame = new byte[FRAME_BYTES];
        int sealed = 0;
        for (int n = 0; n < FRAMES; n++) {
          byte[] bytesOfFrame = end.seal(frame);
          sealed = bytesOfFrame.length;
          out.writeInt(sealed);
          out.write(bytesOfFrame);
        }
        out.writeLong(cpu);
        out.writeInt(sealed - FRAME_BYTES);
        out.flush();
      }
      end.release();
    }
  }

  private static Process startAgents(InnerKind kind, int sessions, Path directory)
      throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            InnerProcess.class.getName(),
            "agents",
            kind.name(),
            Integer.toString(sessions),
            directory.toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private static IssuedIdentity issue(
      CertificateAuthority issuing, Role role, String id, SecureRandom random) {
    KeyPair pair = Keys.newP256(random);
    var identity = new NodeIdentity(FLEET, role, id);
    return new IssuedIdentity(
        identity,
        pair.getPrivate(),
        List.of(
            issuing.issueLeaf(identity, pair.getPublic(), Duration.ofDays(1)),
            issuing.certificate()));
  }

  private static PeerVerifier verifier(X509Certificate root) {
    var anchors = new TrustAnchors(FLEET, List.of(root));
    return new PeerVerifier(() -> anchors, (identity, serial) -> false, Clock.systemUTC());
  }

  private static long threadCpu() {
    return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
  }

  private static long usedHeap() {
    for (int i = 0; i < 3; i++) {
      System.gc();
    }
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  private static long rss() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
      }
    }
    throw new IOException("no VmRSS in /proc/self/status");
  }
}
