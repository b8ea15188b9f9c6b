/** Proxy clusters and their members. */
@NullMarked
package dev.towline.manager.proxies;

import org.jspecify.annotations.NullMarked;
