package dev.towline.runtime.spool;

import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;

/** Appends for ever and says after each sync up to where it is safe: {@code DIRECTORY SEED}. */
final class SpoolAppender {
  static final Spool.Options OPTIONS = new Spool.Options(8 << 20, 256 << 10, 64 << 10);

  private SpoolAppender() {}

  public static void main(String[] arguments) throws Exception {
    var random = new Random(Long.parseLong(arguments[1]));
    Spool spool = Spool.open(DiskFiles.open(Path.of(arguments[0])), OPTIONS);
    PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out));
    while (true) {
      for (int i = random.nextInt(60); i >= 0; i--) {
        long next = spool.nextSequence();
        byte[] payload = ByteBuffer.allocate(8 + random.nextInt(2000)).putLong(next).array();
        spool.append(1 + (int) (next % 3), 1, payload);
      }
      spool.sync();
      out.println(spool.nextSequence() - 1);
    }
  }
}
