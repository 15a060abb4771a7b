/** Options that the command line has a word for: that word, and the option as `group.name`. */
export const shortcuts = {
  host: 'api.host',
  port: 'api.port',
  'data-dir': 'DEFAULT.data_dir',
} as const;

export type Shortcut = keyof typeof shortcuts;

/** How a fault names an option that came from the command line. */
export function shortcutOf(key: string): string {
  const found = Object.entries(shortcuts).find(([, option]) => option === key);
  return `--${found?.[0] ?? key}`;
}
