/** Proxies and relays that the agent of a host installs there when its manager says so. */
@NullMarked
package dev.towline.manager.programs;

import org.jspecify.annotations.NullMarked;
