package dev.towline.it.hostile;

import com.google.protobuf.ByteString;
import java.util.function.BiConsumer;

/** Attacks on sealed bytes. */
final class Attacks {
  private Attacks() {}

  /** Flips the last bit: of the authentication tag, or of what it protects. */
  static ByteString flip(ByteString bytes) {
    byte[] altered = bytes.toByteArray();
    altered[altered.length - 1] ^= 1;
    return ByteString.copyFrom(altered);
  }

  /** Does this to the next sealed bytes of the manager, once. */
  static Attack onceDown(BiConsumer<AgentLink, ByteString> what) {
    return new Attack() {
      private boolean done;

      @Override
      public void down(AgentLink link, ByteString sealed) {
        if (done) {
          link.sealedDown(sealed);
        } else {
          done = true;
          what.accept(link, sealed);
        }
      }
    };
  }

  /** Does this to the next sealed bytes of the agent, once. */
  static Attack onceUp(BiConsumer<AgentLink, ByteString> what) {
    return new Attack() {
      private boolean done;

      @Override
      public void up(AgentLink link, ByteString sealed) {
        if (done) {
          link.sealedUp(sealed);
        } else {
          done = true;
          what.accept(link, sealed);
        }
      }
    };
  }

  /** Holds the next sealed bytes of the manager back until others have gone past them, once. */
  static Attack swapDown() {
    return new Attack() {
      private ByteString held = ByteString.EMPTY;
      private boolean done;

      @Override
      public void down(AgentLink link, ByteString sealed) {
        if (done) {
          link.sealedDown(sealed);
        } else if (held.isEmpty()) {
          held = sealed;
        } else {
          done = true;
          link.sealedDown(sealed);
          link.sealedDown(held);
        }
      }
    };
  }

  /** The same in the other direction. */
  static Attack swapUp() {
    return new Attack() {
      private ByteString held = ByteString.EMPTY;
      private boolean done;

      @Override
      public void up(AgentLink link, ByteString sealed) {
        if (done) {
          link.sealedUp(sealed);
        } else if (held.isEmpty()) {
          held = sealed;
        } else {
          done = true;
          link.sealedUp(sealed);
          link.sealedUp(held);
        }
      }
    };
  }
}
