/**
 * What a host without a route to the manager fetches from the proxy over plain HTTP: install
 * scripts, passed on, and packages, kept on disk. Transport doesn't matter: the install command
 * pins the script by hash, and the script pins the packages.
 */
@NullMarked
package dev.towline.proxy.mirror;

import org.jspecify.annotations.NullMarked;
