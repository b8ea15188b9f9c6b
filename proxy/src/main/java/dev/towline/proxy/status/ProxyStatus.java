package dev.towline.proxy.status;

import dev.towline.proxy.uplink.UplinkStats;
import java.util.Map;

/**
 * A proxy at one moment, as it stands in its status file.
 *
 * @param online the session and the uplink are both up
 * @param generation of the session, 0 when there is none
 * @param manager id of the manager at the other end of the uplink, empty when there is none
 * @param path how the manager is reached: the server that was dialled
 * @param kept items in the spool by type, those that there are
 * @param writtenMs milliseconds since 1970
 */
public record ProxyStatus(
    String version,
    String identity,
    boolean online,
    boolean session,
    boolean uplink,
    long generation,
    String manager,
    String path,
    UplinkStats load,
    Map<String, Long> kept,
    long pid,
    long writtenMs) {}
