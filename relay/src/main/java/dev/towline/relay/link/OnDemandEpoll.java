package dev.towline.relay.link;

import io.grpc.netty.shaded.io.netty.channel.IoHandle;
import io.grpc.netty.shaded.io.netty.channel.IoHandler;
import io.grpc.netty.shaded.io.netty.channel.IoHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.IoHandlerFactory;
import io.grpc.netty.shaded.io.netty.channel.IoOps;
import io.grpc.netty.shaded.io.netty.channel.IoRegistration;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoOps;

/**
 * Netty's epoll, made exact for sockets that are read on demand. Two things of it lose data or
 * bounds there (Netty 4.2 as shaded into gRPC 1.85):
 *
 * <ul>
 *   <li>A socket that wants nothing for a moment is taken out of epoll, but is not put back when it
 *       wants something again: it is then changed, which fails, and the connection dies with what
 *       it still had to read. Here it stays in: with one shot, and nothing but errors to fire it,
 *       so that it neither spins nor hides that its peer has gone.
 *   <li>A FIN makes the transport read everything up to it, asked or not, past any credit. Here
 *       nobody asks for FINs; a read finds them, behind the last byte.
 * </ul>
 *
 * <p>Threading: as the handler inside.
 */
final class OnDemandEpoll implements IoHandler {
  private static final EpollIoOps ONE_SHOT = EpollIoOps.valueOf(1 << 30);

  private final IoHandler epoll;

  private OnDemandEpoll(IoHandler epoll) {
    this.epoll = epoll;
  }

  static IoHandlerFactory newFactory() {
    IoHandlerFactory inside = EpollIoHandler.newFactory();
    return executor -> new OnDemandEpoll(inside.newHandler(executor));
  }

  @Override
  public IoRegistration register(IoHandle handle) throws Exception {
    return new Registration(epoll.register(handle));
  }

  @Override
  public void initialize() {
    epoll.initialize();
  }

  @Override
  public int run(IoHandlerContext context) {
    return epoll.run(context);
  }

  @Override
  public void prepareToDestroy() {
    epoll.prepareToDestroy();
  }

  @Override
  public void destroy() {
    epoll.destroy();
  }

  @Override
  public void wakeup() {
    epoll.wakeup();
  }

  @Override
  public boolean isCompatible(Class<? extends IoHandle> handleType) {
    return epoll.isCompatible(handleType);
  }

  private static final class Registration implements IoRegistration {
    private final IoRegistration inside;
    private boolean added;

    Registration(IoRegistration inside) {
      this.inside = inside;
    }

    @Override
    public long submit(IoOps ops) {
      EpollIoOps wanted = ((EpollIoOps) ops).without(EpollIoOps.EPOLLRDHUP);
      if (wanted.value() != 0) {
        added = true;
      } else if (added) {
        wanted = ONE_SHOT;
      }
      return inside.submit(wanted);
    }

    @Override
    @SuppressWarnings("TypeParameterUnusedInFormals") // as it is declared
    public <T> T attachment() {
      return inside.attachment();
    }

    @Override
    public boolean isValid() {
      return inside.isValid();
    }

    @Override
    public boolean cancel() {
      return inside.cancel();
    }
  }
}
