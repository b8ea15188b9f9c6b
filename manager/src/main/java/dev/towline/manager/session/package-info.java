/** Live conversations with agents, proxies and relays. */
@NullMarked
package dev.towline.manager.session;

import org.jspecify.annotations.NullMarked;
