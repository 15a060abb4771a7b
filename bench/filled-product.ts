import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataDirectory } from '../gateway/data-directory.ts';
import { ExecutionIds } from '../gateway/execution-id.ts';
import { openSqliteStore } from '../gateway/store/sqlite/sqlite-store.ts';
import { ExecutionStatus, type ExecutionRecord, type FunctionRecord, type Store } from '../gateway/store/store.ts';
import { writeCredentials, type KnownUser } from '../test/support/credentials.ts';
import { makeFolder, Server } from '../test/support/server.ts';
import { finalRecord, functionRecord } from '../test/support/store-records.ts';
import type { CleanUp } from './clean-up.ts';
import { Observer } from './observer.ts';
import type { Observation } from './probe.ts';

const GROUP = 1_000;
/** Functions that have executions; the others were never called. A thousand rows have a hundred of each kind below. */
const CALLED = 10;
const FAILED_EVERY = 10;
const DESCRIBED_EVERY = 3;
const FOREIGN_EVERY = 9;

/** The product over a database with many records, observed from inside. */
export class FilledProduct {
  readonly url: string;
  /** A function that has a tenth of the executions. */
  readonly functionId: string;
  /** A text that one execution, in the middle, has in its description. */
  readonly rareText: string;
  /** Records in the middle of the lists. */
  readonly middle: Middle;
  readonly #observer: Observer;

  private constructor(url: string, observer: Observer, { functionId, rareText, middle }: Filling) {
    this.url = url;
    this.#observer = observer;
    this.functionId = functionId;
    this.rareText = rareText;
    this.middle = middle;
  }

  /** Starts it with so many functions and executions; where a user is given, it knows that one alone. */
  static async start(cleanUp: CleanUp, rows: number, user?: KnownUser): Promise<FilledProduct> {
    const { path } = makeFolder(cleanUp);
    const data = new DataDirectory(join(path, 'data'));
    const store = await openSqliteStore({ path: data.database, synchronous: 'normal' });
    const filling = await fill(store, rows);
    await store.close();
    data.close();
    const observer = new Observer(join(path, 'probe'));
    mkdirSync(join(path, 'work'));
    const server = await Server.start(cleanUp, path, {
      environment: {
        ...observer.environment,
        QINLING_DEFAULT_LOG_LEVEL: 'warn',
        ...(user === undefined ? undefined : await guardedBy(path, user)),
      },
    });
    cleanUp.after(() => server.stop());
    return new FilledProduct(server.url, observer, filling);
  }

  /** What its process went through since it was asked last. */
  observe(): Promise<Observation> {
    return this.#observer.observe();
  }
}

async function guardedBy(folder: string, user: KnownUser): Promise<Record<string, string>> {
  const file = await writeCredentials(folder, [user]);
  return { QINLING_API_HOST: '127.0.0.1', QINLING_AUTH_TYPE: 'static', QINLING_AUTH_CREDENTIALS_FILE: file };
}

interface Middle {
  readonly functionId: string;
  readonly executionId: string;
}

interface Filling {
  readonly functionId: string;
  readonly rareText: string;
  readonly middle: Middle;
}

async function fill(store: Store, rows: number): Promise<Filling> {
  const called: string[] = [];
  const middle = { functionId: '', executionId: '' };
  await inGroups(rows, (index) => {
    const projectId = projectOf(index);
    const description = 'Made for the bench';
    const record: FunctionRecord = functionRecord({ projectId, name: `function ${index}`, description });
    if (called.length < CALLED) called.push(record.id);
    if (index * 2 === rows) middle.functionId = record.id;
    return store.functions.insert(record);
  });
  const ids = new ExecutionIds();
  const template = finalRecord({ output: JSON.stringify('x'.repeat(100)) });
  const begunAt = Date.now() - rows;
  const rareText = `Job number ${Math.floor(rows / 2)}.`;
  await inGroups(rows, (index) => {
    const createdAt = begunAt + index; // of late, so that they are not removed for their age
    const record: ExecutionRecord = {
      ...template,
      id: ids.next(createdAt),
      projectId: projectOf(index),
      functionId: called[index % called.length]!,
      status: index % FAILED_EVERY === 0 ? ExecutionStatus.Failed : ExecutionStatus.Success,
      description: index % DESCRIBED_EVERY === 0 || index * 2 === rows ? `Created by Job number ${index}.` : null,
      createdAt,
    };
    if (index * 2 === rows) middle.executionId = record.id;
    return store.executions.insert(record, null);
  });
  return { functionId: called[0]!, rareText, middle };
}

/** Some records belong to another project. */
function projectOf(index: number): string {
  return index % FOREIGN_EVERY === 1 ? 'other' : 'default';
}

async function inGroups(count: number, insert: (index: number) => Promise<void>): Promise<void> {
  for (let index = 0; index < count; index += GROUP) {
    await Promise.all(Array.from({ length: Math.min(GROUP, count - index) }, (_, offset) => insert(index + offset)));
  }
}
