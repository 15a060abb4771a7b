/** Versions of the protocol: an agent tells its own in Hello, and is spared what came later. */
export const PROTOCOL_VERSION = 2;

/** Agents before this one are turned away. */
export const OLDEST_VERSION = 1;

/** From this version on an agent answers Follow with Log. */
export const FOLLOWS_LOGS = 2;
