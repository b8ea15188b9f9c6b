package dev.towline.relay.tunnel;

import dev.towline.proto.v1.OpenTunnel;

/** What travels on the stream of one tunnel: the {@code Chunk} of relay.proto. */
public sealed interface Frame {

  /** First frame, from the child: what the connection is for. */
  record Open(OpenTunnel tunnel) implements Frame {}

  /** From the parent: the target answered. */
  record Opened() implements Frame {}

  record Data(Payload payload) implements Frame {}

  /** No more data in this direction. */
  record Fin() implements Frame {}

  /** The connection ended abnormally; both sockets are reset. */
  record Reset(String code, String detail) implements Frame {}

  /** That many more bytes of data may be sent. */
  record Credit(int bytes) implements Frame {}
}
