package dev.towline.relay.pair;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;

/** A pair in a process of its own, to be killed. */
final class PairProcess {
  private static final String READY = "pair listens on ";

  private PairProcess() {}

  /** One argument: the address of the target. */
  public static void main(String[] arguments) throws InterruptedException {
    try (Pair pair = new Pair(arguments[0], arguments[0]).connected()) {
      System.out.println(READY + pair.sessionPort().getPort());
      new CountDownLatch(1).await();
    }
  }

  static int port(BufferedReader said) throws IOException {
    for (String line = said.readLine(); line != null; line = said.readLine()) {
      if (line.startsWith(READY)) {
        return Integer.parseInt(line.substring(READY.length()));
      }
    }
    throw new IOException("the pair's process ended");
  }
}
