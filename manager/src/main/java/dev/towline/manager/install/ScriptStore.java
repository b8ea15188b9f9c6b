package dev.towline.manager.install;

import java.util.Optional;

/** Install scripts, as they were when their tokens were made. Part of a transaction. */
public interface ScriptStore {
  void save(String token, String script);

  Optional<String> find(String token);
}
