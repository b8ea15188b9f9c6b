/** The fleet's own identity: authorities, the manager's certificates, the directive key. */
@NullMarked
package dev.towline.manager.fleet;

import org.jspecify.annotations.NullMarked;
