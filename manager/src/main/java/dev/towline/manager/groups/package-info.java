/** Groups of hosts: created, listed, renamed; hosts move between them. */
@NullMarked
package dev.towline.manager.groups;

import org.jspecify.annotations.NullMarked;
