/** Proxy clusters over real processes. */
package dev.towline.it.proxies;
