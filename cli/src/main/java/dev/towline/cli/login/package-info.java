/** Which manager the operator talks to, how it is trusted, and the token that was given out. */
@NullMarked
package dev.towline.cli.login;

import org.jspecify.annotations.NullMarked;
