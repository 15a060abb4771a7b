import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Database } from './database.ts';

const MIGRATIONS = fileURLToPath(new URL('../../../../gateway/store/sqlite/migrations', import.meta.url));

/**
 * Brings the database to this program's schema: every file of `migrations/` is applied once, in order, in a transaction
 * of its own; also where several processes start at once. Throws where the database was made by a newer program, or
 * where a file was edited after it was applied.
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
  for (const name of files) {
    const sql = readFileSync(join(directory, name), 'utf8');
    if (!isApplied(name, sql, applied.get(name))) applyOnce(database, name, sql);
  }
}

function applyOnce(database: Database, name: string, sql: string): void {
  const apply = database.transaction(() => {
    const applied = database.prepare('SELECT checksum FROM migrations WHERE name = ?').pluck().get(name);
    if (isApplied(name, sql, applied as string | undefined)) return; // by another process, meanwhile
    database.exec(sql);
    database.prepare('INSERT INTO migrations (name, checksum) VALUES (?, ?)').run(name, checksumOf(sql));
  });
  apply.immediate();
}

function isApplied(name: string, sql: string, checksum: string | undefined): boolean {
  if (checksum === undefined) return false;
  if (checksum !== checksumOf(sql)) throw new Error(`the migration ${name} was edited after it was applied`);
  return true;
}

function checksumOf(sql: string): string {
  return createHash('sha256').update(sql).digest('hex');
}
