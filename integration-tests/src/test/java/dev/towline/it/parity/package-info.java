/** One suite of features over every path. */
package dev.towline.it.parity;
