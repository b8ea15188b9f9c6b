/** The pages for operators: rendered on the server, kept fresh by htmx, nothing from elsewhere. */
@NullMarked
package dev.towline.manager.console;

import org.jspecify.annotations.NullMarked;
