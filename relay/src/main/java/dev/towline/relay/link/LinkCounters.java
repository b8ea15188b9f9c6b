package dev.towline.relay.link;

import dev.towline.relay.tunnel.Tunnel;
import java.util.Collection;

/** What went over one persistent connection. Threading: the loop. */
public final class LinkCounters {
  private long tunnelsEnded;
  private long bytesSent;
  private long bytesReceived;

  /** Sums over tunnels that ended and tunnels that live. */
  public record Totals(int open, int stalled, long opened, long bytesSent, long bytesReceived) {
    public static final Totals NONE = new Totals(0, 0, 0, 0, 0);
  }

  public void ended(Tunnel tunnel) {
    tunnelsEnded++;
    bytesSent += tunnel.bytesSent();
    bytesReceived += tunnel.bytesReceived();
  }

  public Totals with(Collection<Tunnel> live) {
    long sent = bytesSent;
    long received = bytesReceived;
    int stalled = 0;
    for (Tunnel tunnel : live) {
      sent += tunnel.bytesSent();
      received += tunnel.bytesReceived();
      stalled += tunnel.stalled() ? 1 : 0;
    }
    return new Totals(live.size(), stalled, tunnelsEnded + live.size(), sent, received);
  }
}
