package dev.towline.manager.groups;

/**
 * @param hosts that are in it and not revoked
 * @param online of them
 */
public record HostGroup(String name, String description, long createdMs, int hosts, int online) {}
