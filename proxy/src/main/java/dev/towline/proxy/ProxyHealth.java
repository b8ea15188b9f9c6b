package dev.towline.proxy;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.proxy.status.ProcessLoad;
import dev.towline.proxy.status.ProxyStatus;
import dev.towline.proxy.uplink.UplinkConnector;
import dev.towline.proxy.uplink.UplinkStats;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.session.HeartbeatSource;
import dev.towline.runtime.session.SessionObserver;
import dev.towline.runtime.tls.ServerAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is known of this proxy at the moment, from its session, its uplink and its agents. Online
 * means that session and uplink are both up.
 *
 * <p>Threading: thread-safe; told and asked by any thread.
 */
final class ProxyHealth implements SessionObserver, UplinkConnector.Listener, HeartbeatSource {
  private static final Logger log = LoggerFactory.getLogger(ProxyHealth.class);

  private final ProcessLoad process;
  private final BooleanSupplier draining;
  private long generation;
  private boolean session;
  private boolean uplink;
  private String manager = "";
  private String path = "";
  private Map<String, Long> kept = Map.of();
  private UplinkStats load = new UplinkStats(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  ProxyHealth(ProcessLoad process, BooleanSupplier draining) {
    this.process = process;
    this.draining = draining;
  }

  @Override
  public synchronized void online(Established established) {
    generation = established.generation();
    change(true, uplink);
  }

  @Override
  public synchronized void offline(String why) {
    if (session) {
      log.warn("no session with a manager: {}", why);
    }
    change(false, uplink);
  }

  @Override
  public synchronized void uplinkUp(String managerId, ServerAddress server) {
    manager = managerId;
    path = server.toString();
    change(session, true);
  }

  @Override
  public synchronized void uplinkLost(String reason) {
    manager = "";
    change(session, false);
  }

  private void change(boolean sessionNow, boolean uplinkNow) {
    boolean was = session && uplink;
    session = sessionNow;
    uplink = uplinkNow;
    if (!was && session && uplink) {
      log.info("towline-proxy online");
    }
  }

  synchronized void load(UplinkStats now) {
    load = now;
  }

  synchronized void kept(Map<String, Long> now) {
    kept = now;
  }

  @Override
  public synchronized Content collect() {
    Map<String, Long> counters = new LinkedHashMap<>();
    counters.put("proxy.cpu_permille", process.cpuPermille());
    counters.put("proxy.resident_kib", process.residentKib());
    counters.put("proxy.draining", draining.getAsBoolean() ? 1L : 0L);
    counters.put("proxy.clients", (long) load.clients());
    counters.put("proxy.sessions", (long) load.announced());
    counters.put("proxy.waiting", (long) load.waiting());
    counters.put("proxy.queued_up_bytes", load.queuedUp());
    counters.put("proxy.queued_down_bytes", load.queuedDown());
    counters.put("proxy.bytes_up", load.bytesUp());
    counters.put("proxy.bytes_down", load.bytesDown());
    counters.put("proxy.shed", load.shed());
    counters.put("proxy.log_batches_dropped", load.logBatchesDropped());
    ModuleStatus lanes =
        ModuleStatus.newBuilder()
            .setName("uplink")
            .setOnline(uplink)
            .setDetail(uplink ? path : "no way to a manager")
            .build();
    return new Content(List.of(lanes), ByteString.EMPTY, counters);
  }

  synchronized ProxyStatus status(String version, NodeIdentity self, long pid, long nowMs) {
    return new ProxyStatus(
        version,
        self.uri(),
        session && uplink,
        session,
        uplink,
        session ? generation : 0,
        manager,
        path,
        load,
        kept,
        pid,
        nowMs);
  }
}
