package dev.towline.bench.inner;

/** One end of an inner connection, whatever it is made of. */
interface InnerEnd {
  /** The first bytes of the client; nothing for the server. */
  byte[] start() throws Exception;

  /** Takes the peer's bytes and returns what they call for. */
  byte[] feed(byte[] bytes) throws Exception;

  /** Whether the peer is known by its certificate. */
  boolean established();

  byte[] seal(byte[] plaintext) throws Exception;

  byte[] open(byte[] sealed) throws Exception;

  void release();
}
