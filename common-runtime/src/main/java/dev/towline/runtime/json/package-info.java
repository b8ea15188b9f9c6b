/** JSON files of the programs that run on managed hosts. */
@NullMarked
package dev.towline.runtime.json;

import org.jspecify.annotations.NullMarked;
