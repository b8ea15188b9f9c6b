package dev.towline.runtime.spool;

/**
 * A spool at one moment.
 *
 * @param bytes on disk
 * @param quota bytes it may have
 * @param segments files
 * @param kept items that nobody has acknowledged and that are still there
 * @param lost items that were overwritten or damaged, since the spool was made
 * @param waitingBytes bytes behind the last acknowledged record, all headers included
 * @param lastSequence the newest record that is on the disk for good
 * @param acknowledged everything up to here was dealt with
 */
public record SpoolStats(
    long bytes,
    long quota,
    int segments,
    Tally kept,
    Tally lost,
    long waitingBytes,
    long lastSequence,
    long acknowledged) {}
