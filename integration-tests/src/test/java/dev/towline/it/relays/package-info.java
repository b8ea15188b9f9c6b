/** Relay pairs as real processes: pairing, chains, several parents, revocation, what is seen. */
package dev.towline.it.relays;
