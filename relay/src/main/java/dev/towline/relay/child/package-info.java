/**
 * The listening side of a pair: takes connections from hosts below and hands them to the streams
 * that parents opened. Never dials.
 */
@NullMarked
package dev.towline.relay.child;

import org.jspecify.annotations.NullMarked;
