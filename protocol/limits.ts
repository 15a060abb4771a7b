/** Sizes and times that both sides of the link keep to. */

/** Largest WebSocket message that either side accepts. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** A sender ends a batch beyond this size, so that one message never nears MAX_FRAME_BYTES. */
export const BATCH_BYTES = 1024 * 1024;

/** What is kept of the text that one execution prints (rest-api: at least the first 64 KiB). */
export const MAX_LOG_BYTES = 65_536;

/** Silence after which a peer counts as lost; WebSocket pings go out in a third of it. */
export const SILENCE_MS = 24_000;

/** Reconnect back-off of an agent: doubles from the first to the last, each with up to 50 % jitter. */
export const FIRST_RECONNECT_MS = 100;
export const LAST_RECONNECT_MS = 5_000;

/** How long the gateway waits for a lost agent to come back with its invocations before it settles them. */
export const RETURN_GRACE_MS = 15_000;
