package dev.towline.testing;

import java.io.IOException;
import java.net.ServerSocket;
import java.security.SecureRandom;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Ports a test can listen on later. They lie below those a kernel gives to outgoing connections
 * (Linux from 32768, gVisor from 16000), any of which could take one between the asking and the
 * listening. Safe for use by several threads.
 */
public final class FreePorts {
  private static final int LOWEST = 10_000;
  private static final int COUNT = 6_000;
  private static final SecureRandom random = new SecureRandom();
  private static final Set<Integer> given = ConcurrentHashMap.newKeySet();

  private FreePorts() {}

  /** A TCP port nobody listens on at any address, given out once in this process. */
  public static int next() {
    while (true) {
      int port = LOWEST + random.nextInt(COUNT);
      try (var _ = new ServerSocket(port)) {
        if (given.add(port)) {
          return port;
        }
      } catch (IOException _) {
        // Taken: another one.
      }
    }
  }
}
