package dev.towline.it.topology;

/** How an attempt to open a TCP connection ended. */
public enum Connect {
  CONNECTED,
  /** Something answered that there is no such port, host or route. */
  REFUSED,
  /** Nothing answered: what a dropping firewall looks like from outside. */
  TIMED_OUT
}
