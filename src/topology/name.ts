// What can be a name of a lab, a node, a capture point, which is part of file names, of network namespaces' and of host names; and what can be
// a capture filter, which is an argument of tcpdump's.

/** Letters, digits and "-" inside, a letter first, 31 characters at most. Never an option, a path or shell. */
export const NAME = /^[a-zA-Z]([a-zA-Z0-9-]{0,29}[a-zA-Z0-9])?$/;

/** tcpdump would read what begins with "-" as an option. */
export const NO_OPTION = /^(?!\s*-)/;

/** One line, without what moves a terminal's cursor. */
export const PRINTABLE = /^[^\0-\u001f\u007f]*$/;
