/** Install commands: the script behind each, the packages it fetches, and who serves both. */
@NullMarked
package dev.towline.manager.install;

import org.jspecify.annotations.NullMarked;
