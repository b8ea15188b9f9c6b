package dev.towline.manager.updates;

/** What a manager has to do with updates, together. */
public record Updates(UpdateRepository repository, UpdateServing serving, SourceChecks checks) {}
