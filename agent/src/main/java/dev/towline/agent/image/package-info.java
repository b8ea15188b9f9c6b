/** Golden images: the machine itself never enrolls, each of its clones does (I4). */
@NullMarked
package dev.towline.agent.image;

import org.jspecify.annotations.NullMarked;
