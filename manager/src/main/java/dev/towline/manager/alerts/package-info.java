/** Alerts: raised, shown, cleared, and told to others. */
@NullMarked
package dev.towline.manager.alerts;

import org.jspecify.annotations.NullMarked;
