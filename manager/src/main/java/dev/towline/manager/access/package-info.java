/** Who may use the admin API: users, their passwords, and the tokens they sign in for. */
@NullMarked
package dev.towline.manager.access;

import org.jspecify.annotations.NullMarked;
