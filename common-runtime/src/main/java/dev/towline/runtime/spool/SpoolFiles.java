package dev.towline.runtime.spool;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * The files of one spool. What is written is durable only after {@link SpoolFile#force}; that a
 * file is there or gone, only after {@link #syncDirectory}.
 */
public interface SpoolFiles extends AutoCloseable {
  /** Names of all files, in no order. */
  List<String> list() throws IOException;

  /** Opens a file for reading and writing; it is created when there is none. */
  SpoolFile open(String name) throws IOException;

  void delete(String name) throws IOException;

  void syncDirectory() throws IOException;

  /** Replaces a small file as a whole, durable on return. */
  void replace(String name, byte[] content) throws IOException;

  /** The content of a small file. */
  Optional<byte[]> read(String name) throws IOException;

  @Override
  void close();

  /** One open file. */
  interface SpoolFile extends AutoCloseable {
    long size() throws IOException;

    /** Writes all of the buffer; on a failure a part of it may have been written. */
    void write(long position, ByteBuffer bytes) throws IOException;

    /** Reads as much as there is, up to the buffer's room; 0 at the end. */
    int read(long position, ByteBuffer into) throws IOException;

    void truncate(long size) throws IOException;

    void force() throws IOException;

    @Override
    void close();
  }
}
