/** Logs from hosts to the manager and into export files, and how fast (P7, P8, H1). */
package dev.towline.it.sending;
