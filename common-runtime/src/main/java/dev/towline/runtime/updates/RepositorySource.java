package dev.towline.runtime.updates;

import java.io.IOException;
import java.util.Optional;

/** Where a repository's files come from; nothing it says is believed. */
public interface RepositorySource {
  /** How people know it: an address, without credentials. */
  String name();

  /**
   * A small file as a whole.
   *
   * @param path below the repository's address
   * @param limit bytes; of a longer file at most one more than that is given
   * @return empty when the source says that there is none
   * @throws IOException when the source can't be reached, or breaks off
   */
  Optional<byte[]> fetch(String path, long limit) throws IOException, UpdateRefused;
}
