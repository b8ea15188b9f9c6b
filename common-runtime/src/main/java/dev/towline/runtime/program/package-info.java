/** What the command lines of the programs have in common. */
@NullMarked
package dev.towline.runtime.program;

import org.jspecify.annotations.NullMarked;
