/**
 * Networks, firewalls and hosts in containers, put together into named topologies. A test builds
 * one and closes it; {@code bin/topology} builds the same ones and leaves them up.
 *
 * <p>Images are local only ({@code images/build}); nothing is pulled. Containers are reached by
 * their own addresses and by exec, so the docker engine has to run on this machine.
 */
@NullMarked
package dev.towline.it.topology;

import org.jspecify.annotations.NullMarked;
