/**
 * A bounded log on disk that survives crashes, overwrites its oldest part when it is full and knows
 * exactly what it lost (P7, P8). {@link dev.towline.runtime.spool.Spool} holds the rules over a
 * small layer of files; {@link dev.towline.runtime.spool.DiskFiles} is that layer on a real disk.
 */
@NullMarked
package dev.towline.runtime.spool;

import org.jspecify.annotations.NullMarked;
