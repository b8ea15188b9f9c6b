/** What goes wrong at the command line, and the exit codes that scripts see. */
@NullMarked
package dev.towline.cli.error;

import org.jspecify.annotations.NullMarked;
