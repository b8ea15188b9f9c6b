/** The admin API: gRPC services over the features, and what every call to them passes through. */
@NullMarked
package dev.towline.manager.admin;

import org.jspecify.annotations.NullMarked;
