package dev.towline.manager.session;

import dev.towline.proto.v1.CallRequest;
import dev.towline.proto.v1.ManagerFrame;
import java.util.function.Consumer;

/** Where hosts ask to be dialled. Called on a session's thread; must return at once. */
@FunctionalInterface
public interface CallDesk {
  /**
   * @param reply for what goes wrong; what goes well is a session
   */
  void asked(String host, CallRequest call, Consumer<ManagerFrame> reply);
}
