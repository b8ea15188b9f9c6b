package dev.towline.relay.tunnel;

import dev.towline.proto.v1.OpenTunnel;

/** What a {@link Tunnel} asks its driver to do. Performed in order. */
public sealed interface TunnelOutput {

  record Send(Frame frame) implements TunnelOutput {}

  /** Parent: connect to the target, then say {@link Tunnel#localConnected} or the failure. */
  record Connect(OpenTunnel tunnel) implements TunnelOutput {}

  /** Write to the local socket, then say {@link Tunnel#localWritten}. */
  record Write(Payload payload) implements TunnelOutput {}

  /** Read from the local socket once, at most {@link Tunnel#readAllowance} bytes. */
  record Read() implements TunnelOutput {}

  /** Send FIN on the local socket; everything was written. */
  record ShutdownOutput() implements TunnelOutput {}

  /** Both directions ended: close the local socket. */
  record Close() implements TunnelOutput {}

  /** Reset the local socket, so that its peer can't take a broken stream for a complete one. */
  record Abort() implements TunnelOutput {}

  /** Last output: the tunnel needs its stream no more. */
  record End(TunnelEnd how) implements TunnelOutput {}
}
