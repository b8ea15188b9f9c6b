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

  /**
   * A file of any size, from where it broke off before. What came stays when it breaks off again.
   *
   * @throws IOException when the source can't be reached, or breaks off
   */
  void copy(String path, PartialFile file, TransferPace pace)
      throws IOException, UpdateRefused, InterruptedException;
}
