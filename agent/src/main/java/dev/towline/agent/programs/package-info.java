/** Installs other programs of the fleet on this host when the manager's directive says so. */
@NullMarked
package dev.towline.agent.programs;

import org.jspecify.annotations.NullMarked;
