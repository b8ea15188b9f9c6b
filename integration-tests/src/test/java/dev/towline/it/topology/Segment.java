package dev.towline.it.topology;

/**
 * One network of a lab.
 *
 * @param name what the topology calls it
 * @param id docker's id
 * @param subnet in CIDR form
 */
public record Segment(String name, String id, String subnet) {}
