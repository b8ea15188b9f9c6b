/** Programs that operators run on hosts, as directives to each of them. */
@NullMarked
package dev.towline.manager.actions;

import org.jspecify.annotations.NullMarked;
