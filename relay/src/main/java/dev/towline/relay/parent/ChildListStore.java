package dev.towline.relay.parent;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.proto.v1.RelayChild;
import dev.towline.proto.v1.SetRelayChildren;
import dev.towline.runtime.identity.DurableFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The child list on the disk, so that a parent dials after a restart without its manager. */
public final class ChildListStore {
  private final Path file;

  public ChildListStore(Path file) {
    this.file = file;
  }

  /** Empty when there was never one. */
  public List<RelayChild> load() throws IOException {
    if (!Files.exists(file)) {
      return List.of();
    }
    try {
      return SetRelayChildren.parseFrom(Files.readAllBytes(file)).getChildrenList();
    } catch (InvalidProtocolBufferException e) {
      throw new IOException(file + ": no child list", e);
    }
  }

  /** Returns when it is on the disk; only the owner may read it. */
  public void save(List<RelayChild> children) throws IOException {
    DurableFiles.replace(
        file, SetRelayChildren.newBuilder().addAllChildren(children).build().toByteArray());
  }
}
