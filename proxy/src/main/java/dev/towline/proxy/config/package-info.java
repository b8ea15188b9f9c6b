/** What a proxy is set to, and where each value came from. */
@NullMarked
package dev.towline.proxy.config;

import org.jspecify.annotations.NullMarked;
