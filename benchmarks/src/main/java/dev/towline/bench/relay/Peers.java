package dev.towline.bench.relay;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.Program;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Pems;
import dev.towline.runtime.identity.Role;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * What people put between two networks today, from the distribution's packages, each as a pair:
 * entry, encrypted link with AES-128-GCM, exit to the sink.
 */
final class Peers {
  private static final String ROOT = "0";

  private final Path directory;
  private final LoopbackAddresses addresses;
  private final InetSocketAddress sink;

  Peers(Path directory, LoopbackAddresses addresses, InetSocketAddress sink) {
    this.directory = directory;
    this.addresses = addresses;
    this.sink = sink;
  }

  /** A pair of programs. */
  private record Pair(String name, InetSocketAddress entry, List<Program> programs)
      implements Passage {
    @Override
    public Duration processorTime() throws IOException {
      return Processes.processorTime(programs);
    }

    @Override
    public void close() {
      programs.reversed().forEach(Program::stop);
    }
  }

  /** OpenSSH, the inside dialling out and forwarding a port of the outside back: {@code ssh -R}. */
  Passage ssh() throws IOException, InterruptedException {
    InetSocketAddress server = address(11, 2222);
    InetSocketAddress entry = address(11, 9000);
    Path host = key("ssh-host");
    Path user = key("ssh-user");
    Path authorized = directory.resolve("ssh-authorized");
    Files.copy(directory.resolve("ssh-user.pub"), authorized);
    if (run("id", "-u").strip().equals(ROOT)) {
      // As the distribution's unit does.
      Files.createDirectories(Path.of("/run/sshd"));
    }
    Path config =
        write(
            "sshd.conf",
            "ListenAddress " + text(server),
            "HostKey " + host,
            "AuthorizedKeysFile " + authorized,
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
            "AllowTcpForwarding yes",
            "GatewayPorts clientspecified");
    Program sshd = program("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config.toString()).start();
    Processes.awaitListener(sshd, server);
    Program ssh =
        program(
                "ssh",
                "ssh",
                "-N",
                "-F",
                "none",
                "-i",
                user.toString(),
                "-p",
                Integer.toString(server.getPort()),
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "ExitOnForwardFailure=yes",
                "-o",
                "Ciphers=aes128-gcm@openssh.com",
                "-R",
                text(entry) + ":" + text(sink),
                System.getProperty("user.name") + "@" + server.getHostString())
            .start();
    Processes.awaitListener(ssh, entry);
    return new Pair("ssh", entry, List.of(sshd, ssh));
  }

  Passage stunnel() throws IOException {
    InetSocketAddress entry = address(12, 9000);
    InetSocketAddress link = address(13, 9000);
    Path pem = certificate();
    Path exitConfig =
        stunnelConfig(
            "stunnel-exit.conf",
            "cert = " + pem,
            "[exit]",
            "accept = " + text(link),
            "connect = " + text(sink));
    Path entryConfig =
        stunnelConfig(
            "stunnel-entry.conf",
            "client = yes",
            "[entry]",
            "accept = " + text(entry),
            "connect = " + text(link));
    Program exit = program("stunnel-exit", "/usr/bin/stunnel", exitConfig.toString()).start();
    Processes.awaitListener(exit, link);
    Program in = program("stunnel-entry", "/usr/bin/stunnel", entryConfig.toString()).start();
    Processes.awaitListener(in, entry);
    return new Pair("stunnel", entry, List.of(exit, in));
  }

  private Path stunnelConfig(String name, String... lines) throws IOException {
    List<String> all =
        new ArrayList<>(
            List.of(
                "foreground = yes",
                "syslog = no",
                "pid =",
                "debug = err",
                "sslVersion = TLSv1.3",
                "ciphersuites = TLS_AES_128_GCM_SHA256",
                "socket = l:TCP_NODELAY=1",
                "socket = r:TCP_NODELAY=1"));
    all.addAll(List.of(lines));
    return write(name, all.toArray(String[]::new));
  }

  Passage haproxy() throws IOException {
    InetSocketAddress entry = address(14, 9000);
    InetSocketAddress link = address(15, 9000);
    String suites = "ciphersuites TLS_AES_128_GCM_SHA256";
    Path exitConfig =
        haproxyConfig(
            "haproxy-exit.cfg",
            "  bind " + text(link) + " ssl crt " + certificate() + " " + suites,
            "  server sink " + text(sink));
    Path entryConfig =
        haproxyConfig(
            "haproxy-entry.cfg",
            "  bind " + text(entry),
            "  server exit " + text(link) + " ssl verify none " + suites);
    Program exit =
        program("haproxy-exit", "/usr/sbin/haproxy", "-db", "-f", exitConfig.toString()).start();
    Processes.awaitListener(exit, link);
    Program in =
        program("haproxy-entry", "/usr/sbin/haproxy", "-db", "-f", entryConfig.toString()).start();
    Processes.awaitListener(in, entry);
    return new Pair("haproxy", entry, List.of(exit, in));
  }

  private Path haproxyConfig(String name, String... lines) throws IOException {
    List<String> all =
        new ArrayList<>(
            List.of(
                "global",
                "  maxconn 4000",
                "  tune.bufsize 65536",
                "defaults",
                "  mode tcp",
                "  timeout connect 5s",
                "  timeout client 1h",
                "  timeout server 1h",
                "listen passage"));
    all.addAll(List.of(lines));
    return write(name, all.toArray(String[]::new));
  }

  /** A key and a certificate for it in one file, as both programs want them. */
  private Path certificate() throws IOException {
    Path pem = directory.resolve("peer.pem");
    if (!Files.exists(pem)) {
      SecureRandom random = new SecureRandom();
      KeyPair keys = Keys.newP256(random);
      CertificateAuthority issuing =
          CertificateAuthority.newRoot("peers", Clock.systemUTC(), random).newIssuing();
      Path key = directory.resolve("peer-key.pem");
      Path chain = directory.resolve("peer-chain.pem");
      Pems.writePrivateKey(key, keys.getPrivate());
      Pems.writeCertificates(
          chain,
          List.of(
              issuing.issueServer(
                  new NodeIdentity("peers", Role.MANAGER, "peer"),
                  keys.getPublic(),
                  Duration.ofDays(1),
                  List.of("localhost"))));
      Files.writeString(pem, Files.readString(key) + Files.readString(chain));
    }
    return pem;
  }

  private Path key(String name) throws IOException, InterruptedException {
    Path file = directory.resolve(name);
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file.toString());
    return file;
  }

  private Path write(String name, String... lines) throws IOException {
    return Files.writeString(directory.resolve(name), String.join("\n", lines) + "\n");
  }

  private Program program(String name, String... command) {
    return new Program(
        name, List.of(command), Map.of(), directory.resolve("logs").resolve(name + ".log"));
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes());
    if (!process.waitFor(20, TimeUnit.SECONDS) || process.exitValue() != 0) {
      throw new IOException(String.join(" ", command) + ": " + output);
    }
    return output;
  }

  private InetSocketAddress address(int host, int port) {
    return new InetSocketAddress(addresses.host(host), port);
  }

  static String text(InetSocketAddress address) {
    return address.getHostString() + ":" + address.getPort();
  }
}
