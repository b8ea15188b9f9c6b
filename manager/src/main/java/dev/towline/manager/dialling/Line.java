package dev.towline.manager.dialling;

import dev.towline.runtime.tls.ServerAddress;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** Opens a session to a host by dialling it. */
@FunctionalInterface
public interface Line {
  /**
   * @param host id of the agent that has to answer there
   * @return empty once the host has begun its session; else what came of it
   */
  CompletableFuture<Optional<String>> dial(String host, ServerAddress address);
}
