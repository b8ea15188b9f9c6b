package dev.towline.bench.relay;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;

/** A way through: what is connected to its entry reaches the sink. */
interface Passage extends AutoCloseable {
  String name();

  InetSocketAddress entry();

  /** Of all its processes together, so far. */
  Duration processorTime() throws IOException;

  @Override
  void close();
}
