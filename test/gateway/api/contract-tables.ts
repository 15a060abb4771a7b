import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { startResourceServer, type Reply } from '../../support/resource-server.ts';

/**
 * What clients may count on, of every resource alike: the tables say what is different of each. A new resource is a new
 * table.
 */

export type Rig = Awaited<ReturnType<typeof openRig>>;
export type Body = Record<string, unknown>;
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface ResourceTable {
  /** How messages name it. */
  readonly argument: string;
  readonly path: string;
  /** The text of 404, for a record whose id is unknown. */
  readonly notFound: (id: string) => string;
  /** The least body that creates one; each one creates another. */
  readonly least: (rig: Rig) => Promise<Body> | Body;
  /** Makes a record; resolves with the part of its path that tells which one it is. */
  readonly make: (rig: Rig) => Promise<string>;
  /** That is a name, not an id. */
  readonly isNamed?: boolean;
  /** Unknown and read-only attributes are ignored, and bodies may be forms. */
  readonly isLenient?: boolean;
  readonly isChangeable: boolean;
  /** Deleted in the background. */
  readonly isGoneLater?: boolean;
  readonly texts: Readonly<Record<string, number>>;
  /** Texts that never change: a change of them is ignored. */
  readonly fixed?: readonly string[];
  readonly booleans: readonly string[];
  readonly integers: readonly string[];
  readonly readOnly: readonly string[];
  /** Attributes that are left out of `least` one by one: what is answered then. */
  readonly missing: Readonly<Record<string, string>>;
  /** Paths below a record. */
  readonly below: readonly (readonly [Method, string])[];
  /** Bodies that are refused, by what they change of `least`. */
  readonly refused: readonly (readonly [Body, number, string])[];
}

export const UNKNOWN = '0197f0c0-0000-7000-8000-0123456789ab';

export const wrong = (attribute: string, shown: string, why: string) =>
  `Invalid input for field/attribute ${attribute}. Value: '${shown}'. ${why}`;

const RUNTIME_TABLE: ResourceTable = {
  argument: 'runtime',
  path: '/v1/runtimes',
  notFound: (id) => `Runtime not found [id=${id}]`,
  least: () => ({ image: 'python' }),
  make: async ({ sendJson }) => idOf(await sendJson('POST', '/v1/runtimes', { image: 'python' })),
  isChangeable: true,
  isGoneLater: true,
  texts: { name: 255, image: 255, description: 255 },
  booleans: ['is_public', 'trusted'],
  integers: [],
  readOnly: ['id', 'status', 'status_reason', 'project_id', 'created_at', 'updated_at'],
  missing: { image: "Required param is missing. Required: {'image'}" },
  below: [['GET', '/pool']],
  refused: [
    [{ image: '' }, 400, "Required param is missing. Required: {'image'}"],
    [{ image: ' ' }, 400, "Required param is missing. Required: {'image'}"],
  ],
};

const RANGE = 'not within the allowable range:';
const FUNCTION_TABLE: ResourceTable = {
  argument: 'function',
  path: '/v1/functions',
  notFound: (id) => `Function not found [id=${id}]`,
  least: ({ runtimeId }) => ({ code: { source: 'package' }, runtime_id: runtimeId }),
  make: async ({ create }) => (await create()).id,
  isLenient: true,
  isChangeable: true,
  texts: { name: 255, description: 255, entry: 80 },
  booleans: [],
  integers: [],
  readOnly: [],
  missing: {
    code: "Required param is missing. Required: {'code'}",
    runtime_id: '"runtime_id" must be specified.',
  },
  below: [['GET', '?download=true']],
  refused: [
    [{ runtime_id: 'x' }, 400, wrong('runtime_id', 'x', 'Value should be UUID format.')],
    [{ runtime_id: UNKNOWN }, 404, `Runtime not found [id=${UNKNOWN}]`],
    [{ code: '{' }, 400, 'The attribute code is not valid JSON.'],
    [{ code: [] }, 400, 'The attribute code must be a JSON object.'],
    [{ code: { source: 'disk' } }, 400, 'Invalid code source specified, available sources: package, swift, image'],
    [{ package: 'text' }, 400, 'The attribute package must be a file part of a multipart form.'],
    [{}, 400, 'The file part package is missing.'],
    [{ cpu: 99 }, 400, `cpu resource limitation ${RANGE} 100 ~ 300(millicpu).`],
    [{ cpu: '301' }, 400, `cpu resource limitation ${RANGE} 100 ~ 300(millicpu).`],
    [{ cpu: 'much' }, 400, 'Invalid cpu resource specified. An integer is required.'],
    [{ cpu: 100.5 }, 400, 'Invalid cpu resource specified. An integer is required.'],
    [{ memory_size: 0 }, 400, `memory resource limitation ${RANGE} 33554432 ~ 134217728(bytes).`],
    [{ memory_size: {} }, 400, 'Invalid memory resource specified. An integer is required.'],
    [{ timeout: '0' }, 400, `timeout resource limitation ${RANGE} 1 ~ 300(seconds).`],
    [{ timeout: true }, 400, 'Invalid timeout resource specified. An integer is required.'],
  ],
};

const NEITHER = 'Either function_alias or function_id must be provided.';
const EXECUTION_TABLE: ResourceTable = {
  argument: 'execution',
  path: '/v1/executions',
  notFound: (id) => `Execution not found [id=${id}]`,
  least: ({ functionId }) => ({ function_id: functionId, sync: false }),
  make: async ({ sendJson, functionId }) =>
    idOf(await sendJson('POST', '/v1/executions', { function_id: functionId, sync: false })),
  isChangeable: false,
  texts: { description: 255 },
  booleans: ['sync'],
  integers: ['function_version'],
  readOnly: ['id', 'status', 'result', 'output', 'project_id', 'created_at', 'updated_at'],
  missing: { function_id: NEITHER },
  below: [['GET', '/log']],
  refused: [
    [{ function_id: null, function_alias: null }, 400, NEITHER],
    [{ function_id: 'x' }, 400, 'Expected a uuid but received x.'],
    [{ function_id: 5 }, 400, 'Expected a uuid but received 5.'],
    [{ function_id: UNKNOWN }, 404, `Function not found [id=${UNKNOWN}]`],
    [{ function_alias: 'gone' }, 404, 'FunctionAlias not found [name=gone]'],
    [{ function_alias: 'a'.repeat(256) }, 400, wrong('function_alias', 'a'.repeat(100), tooLong(255))],
    [{ function_alias: 0 }, 400, wrong('function_alias', '0', 'Wrong type. Expected a string.')],
    [{ function_version: -1 }, 400, wrong('function_version', '-1', 'Value should be 0 or more.')],
  ],
};

const NO_ALIAS = "Required param is missing. Required: {'name', 'function_id'}";
const NO_NAME = 'Value should be one part of a path.';
const ALIAS_TABLE: ResourceTable = {
  argument: 'function_alias',
  path: '/v1/aliases',
  notFound: (name) => `FunctionAlias not found [name=${name}]`,
  least: newAlias,
  make: async (rig) => {
    const body = await newAlias(rig);
    created(await rig.sendJson('POST', '/v1/aliases', body));
    return body.name;
  },
  isNamed: true,
  isChangeable: true,
  texts: { name: 255, description: 255 },
  fixed: ['name'],
  booleans: [],
  integers: ['function_version'],
  readOnly: ['id', 'project_id', 'created_at', 'updated_at'],
  missing: { name: NO_ALIAS, function_id: NO_ALIAS },
  below: [],
  refused: [
    [{ name: '' }, 400, wrong('name', '', NO_NAME)],
    [{ name: 'a/b' }, 400, wrong('name', 'a/b', NO_NAME)],
    [{ name: '..' }, 400, wrong('name', '..', NO_NAME)],
    [{ function_id: 'x' }, 400, wrong('function_id', 'x', 'Value should be UUID format.')],
    [{ function_id: UNKNOWN }, 404, `Function not found [id=${UNKNOWN}]`],
    [{ function_version: -1 }, 400, wrong('function_version', '-1', 'Value should be 0 or more.')],
  ],
};

let aliases = 0;

/** A project has one alias at most for each function and version. */
async function newAlias({ create }: Rig) {
  return { name: `alias ${aliases++}`, function_id: (await create()).id };
}

export const TABLES: readonly ResourceTable[] = [RUNTIME_TABLE, FUNCTION_TABLE, EXECUTION_TABLE, ALIAS_TABLE];

/** The resources' server with a function that can be run. */
export async function openRig(t: TestContext) {
  const rig = await startResourceServer(t);
  const functionId = (await rig.create()).id;
  return { ...rig, functionId };
}

/** Checks that it was created. */
export function created(reply: Reply): Reply {
  assert.equal(reply.status, 201, reply.text);
  return reply;
}

function idOf(reply: Reply): string {
  return created(reply).json['id'] as string;
}

/** Why a text is refused. */
export function tooLong(length: number): string {
  return `Value should have a maximum length of ${length}.`;
}
