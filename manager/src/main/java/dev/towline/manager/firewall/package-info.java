/** Orders to the firewalls of hosts (F1-F6). */
@NullMarked
package dev.towline.manager.firewall;

import org.jspecify.annotations.NullMarked;
