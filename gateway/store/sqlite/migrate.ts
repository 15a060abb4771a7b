import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Database } from './database.ts';

const MIGRATIONS = fileURLToPath(new URL('../../../../gateway/store/sqlite/migrations', import.meta.url));

/**
 * Brings the database to this program's schema: every file of `migrations/` is applied once, in order, in a transaction
 * of its own. Throws where the database was made by a newer program, or where a file was edited after it was applied.
 */
export function migrate(database: Database, directory = MIGRATIONS): void {
  database.exec('CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL) STRICT');
  const rows = database.prepare('SELECT name, checksum FROM migrations').all() as { name: string; checksum: string }[];
  const applied = new Map(rows.map(({ name, checksum }) => [name, checksum]));
  const files = readdirSync(directory)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  const unknown = [...applied.keys()].filter((name) => !files.includes(name));
  if (unknown.length > 0) throw new Error(`the database was made by a newer version (it has ${unknown.join(', ')})`);
  for (const name of files) applyOnce(database, name, readFileSync(join(directory, name), 'utf8'), applied.get(name));
}

function applyOnce(database: Database, name: string, sql: string, appliedChecksum: string | undefined): void {
  const checksum = createHash('sha256').update(sql).digest('hex');
  if (appliedChecksum === checksum) return;
  if (appliedChecksum !== undefined) throw new Error(`the migration ${name} was edited after it was applied`);
  database.transaction(() => {
    database.exec(sql);
    database.prepare('INSERT INTO migrations (name, checksum) VALUES (?, ?)').run(name, checksum);
  })();
}
