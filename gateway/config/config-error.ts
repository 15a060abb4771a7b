/** All that is wrong with a configuration or a file that it names, one fault a line. */
export class ConfigError extends Error {}
