import type { RuleName } from '../auth/rules.ts';
import type { Scaling } from '../control/scaling.ts';
import type { Exchange } from '../http/exchange.ts';
import { parseInteger, parseUuid, wrongValue } from './fields.ts';
import { queryArguments } from './list-query.ts';
import type { Operation, OperationDoc } from './operation.ts';
import { readBody } from './resources/declaration.ts';
import { SCALE, WORKER, renderWorker } from './resources/worker.ts';
import { readVersion } from './versions.ts';

/** What the paths of a function and of its versions have in common. */
interface Place {
  readonly pattern: string;
  readonly rules: 'function' | 'function_version';
  readonly read: (exchange: Exchange) => [functionId: string, version: number];
  /** What the descriptions call it. */
  readonly name: string;
}

const PLACES: readonly Place[] = [
  {
    pattern: '/v1/functions/:id',
    rules: 'function',
    read: ({ parameters }) => [parseUuid(parameters[0]), 0],
    name: 'a function as it is',
  },
  {
    pattern: '/v1/functions/:id/versions/:number',
    rules: 'function_version',
    read: readVersion,
    name: 'a version (0: the function as it is)',
  },
];

/** Workers of functions and versions: who they are, more, fewer, none. */
export function workerRoutes(scaling: Scaling): Operation[] {
  return [listRoute(scaling), ...PLACES.flatMap((place) => scalingRoutes(scaling, place))];
}

function listRoute(scaling: Scaling): Operation {
  return {
    method: 'GET',
    pattern: '/v1/functions/:id/workers',
    rule: 'function_worker:get_all',
    doc: {
      summary: 'List the workers that hold a function',
      help: 'None for a function that is not there.',
      query: {
        function_version: {
          schema: { type: 'integer', minimum: 0, default: 0 },
          help: 'The version; 0 is the function as it is.',
        },
      },
      status: 200,
      answer: { list: WORKER },
      errors: [400, 403],
    },
    handle: async (exchange) => {
      const id = parseUuid(exchange.parameters[0]);
      const version = parseVersion(queryArguments(exchange.query, ['function_version']).get('function_version') ?? '0');
      const workers = await scaling.workers(exchange.access, id, version);
      exchange.sendJson(200, { [WORKER.listKey]: workers.map(renderWorker) });
    },
  };
}

function scalingRoutes(scaling: Scaling, { pattern, rules, read, name }: Place): Operation[] {
  const operation = (
    action: 'scale_up' | 'scale_down' | 'detach',
    doc: Pick<OperationDoc, 'summary' | 'help' | 'body' | 'errors'>,
    handle: Operation['handle'],
  ): Operation => {
    const rule: RuleName = `${rules}:${action}`;
    const path = `${pattern}/${action}`;
    return { method: 'POST', pattern: path, rule, doc: { ...doc, status: 202, answer: 'empty' }, handle };
  };
  const body = { resource: SCALE, on: 'create' } as const;
  return [
    operation(
      'scale_up',
      {
        summary: `More workers for ${name}`,
        help: 'They are loaded in the background, as far as there are free ones.',
        body,
        errors: [400, 403, 404, 409, 415],
      },
      async (exchange) => {
        const count = await readCount(exchange);
        await scaling.scaleUp(exchange.access, ...read(exchange), count);
        exchange.send(202);
      },
    ),
    operation(
      'scale_down',
      {
        summary: `Fewer workers for ${name}`,
        help: 'One stays. Running calls end first.',
        body,
        errors: [400, 403, 404, 415],
      },
      async (exchange) => {
        const count = await readCount(exchange);
        await scaling.scaleDown(exchange.access, ...read(exchange), count);
        exchange.send(202);
      },
    ),
    operation(
      'detach',
      {
        summary: `No workers for ${name}, until it is called again`,
        help: 'Running calls end first.',
        errors: [400, 403, 404],
      },
      async (exchange) => {
        await scaling.detach(exchange.access, ...read(exchange));
        exchange.send(202);
      },
    ),
  ];
}

async function readCount(exchange: Exchange): Promise<number> {
  return readBody(SCALE, await exchange.json(SCALE.name), 'create').count!; // required
}

function parseVersion(text: string): number {
  const version = parseInteger(text, 'function_version');
  if (version < 0) throw wrongValue('function_version', text, 'Value should be 0 or more.');
  return version;
}
