/**
 * Many agents in a few processes, over real proxies to a real manager. They speak the protocol of a
 * session, each with its own certificate, without threads and disks of their own.
 */
@NullMarked
package dev.towline.bench.proxy;

import org.jspecify.annotations.NullMarked;
