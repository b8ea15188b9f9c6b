package dev.towline.proxy.uplink;

/**
 * An uplink at one moment. Counts since start are marked so.
 *
 * @param clients agents connected to this proxy
 * @param announced those whose session a manager knows
 * @param waiting those that wait to be announced
 * @param lanes lanes that are up
 * @param queuedUp bytes that wait for the uplink
 * @param queuedDown bytes that wait for agents
 * @param bytesUp sealed bytes sent up since start
 * @param bytesDown sealed bytes sent down since start
 * @param discardedBytes bytes of lost upstreams that arrived late, since start
 * @param shed sessions ended because a budget was used up, since start
 * @param overruns sessions ended because a side sent more than its credit, since start
 * @param logBatchesDropped log batches that found no room, since start; their agents send them
 *     again
 */
public record UplinkStats(
    int clients,
    int announced,
    int waiting,
    int lanes,
    long queuedUp,
    long queuedDown,
    long bytesUp,
    long bytesDown,
    long discardedBytes,
    long shed,
    long overruns,
    long logBatchesDropped) {}
