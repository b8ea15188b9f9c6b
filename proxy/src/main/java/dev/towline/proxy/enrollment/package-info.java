/** Enrollment through the proxy: passed on unread. */
@NullMarked
package dev.towline.proxy.enrollment;

import org.jspecify.annotations.NullMarked;
