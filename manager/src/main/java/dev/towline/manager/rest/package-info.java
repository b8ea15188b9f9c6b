/**
 * The ports that people and their tools use by HTTP: admin API and console on one, hosts' on
 * others.
 */
@NullMarked
package dev.towline.manager.rest;

import org.jspecify.annotations.NullMarked;
