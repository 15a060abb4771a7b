import { crc32, deflateRawSync } from 'node:zlib';

/** An entry of a zip as a test wants it, true or not. */
export interface CraftedEntry {
  readonly name: string | Uint8Array;
  readonly data?: string | Uint8Array;
  readonly isDeflated?: boolean;
  /** Unix type and permissions; 0644 or 0755 of what the name says where it is not given. */
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  /** What the archive claims of the unpacked bytes. */
  readonly claimedBytes?: number;
  readonly claimedCrc32?: number;
}

export interface CraftedArchive {
  readonly prefix?: Uint8Array;
  readonly claimedEntries?: number;
  readonly comment?: string;
}

const UTF8_NAMES = 0x0800;
const MADE_BY_UNIX = 3 << 8;
const VERSION = 20;

/** A zip archive of any entries, also of those that no honest program writes. */
export function craftZip(entries: readonly CraftedEntry[], archive: CraftedArchive = {}): Buffer {
  const parts: Buffer[] = [Buffer.from(archive.prefix ?? [])];
  const centrals: Buffer[] = [];
  let offset = parts[0]!.length;
  for (const entry of entries) {
    const name = Buffer.from(entry.name as string);
    const data = Buffer.from((entry.data ?? '') as string);
    const body = entry.isDeflated === true ? deflateRawSync(data) : data;
    const common = commonFields(entry, name, data, body);
    const local = Buffer.alloc(4);
    local.writeUInt32LE(0x04034b50);
    parts.push(local, common, name, body);
    const head = Buffer.alloc(6);
    head.writeUInt32LE(0x02014b50);
    head.writeUInt16LE(MADE_BY_UNIX | VERSION, 4);
    const place = Buffer.alloc(14);
    const usualMode = name.at(-1) === 0x2f ? 0o040755 : 0o100644;
    place.writeUInt32LE(((entry.mode ?? usualMode) << 16) >>> 0, 6);
    place.writeUInt32LE(offset, 10);
    centrals.push(head, common, place, name);
    offset += 4 + common.length + name.length + body.length;
  }
  const directory = Buffer.concat(centrals);
  const comment = Buffer.from(archive.comment ?? '');
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(archive.claimedEntries ?? entries.length, 8);
  end.writeUInt16LE(archive.claimedEntries ?? entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, directory, end, comment]);
}

/** The fields that both headers of an entry share, from "version needed" to "extra length". */
function commonFields(entry: CraftedEntry, name: Buffer, data: Buffer, body: Buffer): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(VERSION);
  fields.writeUInt16LE(UTF8_NAMES | (entry.flags ?? 0), 2);
  fields.writeUInt16LE(entry.method ?? (entry.isDeflated === true ? 8 : 0), 4);
  fields.writeUInt16LE(0x0021, 8); // 1980-01-01
  fields.writeUInt32LE(entry.claimedCrc32 ?? crc32(data), 10);
  fields.writeUInt32LE(body.length, 14);
  fields.writeUInt32LE(entry.claimedBytes ?? data.length, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}
