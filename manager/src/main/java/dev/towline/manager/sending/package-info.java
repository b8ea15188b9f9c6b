/** What proxies do with what their clients log: policies of clusters, and how they are kept to. */
@NullMarked
package dev.towline.manager.sending;

import org.jspecify.annotations.NullMarked;
