import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { describeApi, type ApiFacts } from '../../../gateway/api/description/openapi.ts';
import { publicRoutes, type ApiServices } from '../../../gateway/api/public-routes.ts';
import { readBody, type JsonSchema, type Resource } from '../../../gateway/api/resources/declaration.ts';
import { RULES } from '../../../gateway/auth/rules.ts';
import { strictAjv } from '../../support/described-api.ts';
import { LIMITS } from '../../support/functions-rig.ts';

const FACTS: ApiFacts = { limits: LIMITS, isOpen: true };
const ROUTES = publicRoutes({} as ApiServices, FACTS);

for (const isOpen of [true, false]) {
  test(`the description is a valid document of OpenAPI, where callers are ${isOpen ? 'not ' : ''}told apart`, async () => {
    const validator = new Validator();

    const { valid, errors } = await validator.validate(toJson(describeApi(ROUTES, { ...FACTS, isOpen })));

    assert.ok(valid, JSON.stringify(errors));
    assert.equal(validator.version, '3.1');
  });
}

test('the description has every route, and each operation a name of its own', () => {
  const { paths } = describeApi(ROUTES, FACTS);

  const names = ROUTES.map(({ method, pattern }) => {
    const operation = paths[pattern.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
    assert.ok(operation !== undefined, `${method} ${pattern}`);
    const { operationId, summary, parameters = [] } = operation as unknown as Operation;
    assert.ok(summary !== '');
    const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => `:${name}`);
    assert.deepEqual(inPath, pattern.match(/:\w+/g) ?? []);
    return operationId;
  });

  assert.equal(new Set(names).size, ROUTES.length);
  assert.equal(Object.values(paths).flatMap((path) => Object.keys(path)).length, ROUTES.length);
});

test('the routes are described themselves, and that without authentication', () => {
  const own = ROUTES.find(({ pattern }) => pattern === '/v1/openapi.json');
  assert.equal(own?.rule, 'public');
  const { paths } = describeApi(ROUTES, { ...FACTS, isOpen: false });
  for (const { pattern, method, rule } of ROUTES) {
    const operation = paths[pattern.replace(/:(\w+)/g, '{$1}')]![method.toLowerCase()] as unknown as Operation;
    assert.equal(operation.security?.length === 0, RULES[rule] === 'public', pattern);
    assert.equal('401' in operation.responses, RULES[rule] !== 'public', pattern);
  }
});

test('every list may be asked for page by page', () => {
  for (const { pattern, doc } of ROUTES) {
    if (typeof doc.answer === 'string' || !('list' in doc.answer) || !('id' in doc.answer.list.attributes)) continue;
    assert.ok('limit' in doc.query! && 'marker' in doc.query, pattern);
  }
});

test('the ranges of function limits are those of the configuration', () => {
  const limits = { ...LIMITS, cpu: { usual: 7, least: 5, most: 9 } };
  const { schemas } = describeApi(ROUTES, { ...FACTS, limits }).components;

  for (const name of ['FunctionCreate', 'FunctionCreateForm', 'FunctionChange', 'FunctionChangeForm']) {
    const { cpu, timeout } = schemas[name]!['properties'] as Record<string, Record<string, unknown>>;
    assert.deepEqual([cpu!['minimum'], cpu!['maximum']], [5, 9], name);
    assert.equal(cpu!['default'], name.includes('Create') ? 7 : undefined, name);
    assert.deepEqual([timeout!['minimum'], timeout!['maximum']], [1, 300], name);
  }
  const shown = schemas['Function']!['properties'] as Record<string, Record<string, unknown>>;
  assert.equal(shown['cpu']!['maximum'], undefined);
});

test('files are in forms only, and nothing that is written only is in answers', () => {
  const { schemas } = describeApi(ROUTES, FACTS).components;
  const has = (schema: string, name: string) => name in (schemas[schema]!['properties'] as object);

  assert.deepEqual([has('FunctionCreateForm', 'package'), has('FunctionCreate', 'package')], [true, false]);
  assert.deepEqual([has('Function', 'package'), has('Function', 'md5sum')], [false, false]);
  assert.deepEqual([has('FunctionCreate', 'id'), has('Function', 'id')], [false, true]);
});

/** Bodies by the title of their schema, as the routes read them. */
const BODIES = ROUTES.flatMap(({ doc: { body } }) => (body !== undefined && 'resource' in body ? [body] : []));

for (const { resource, on } of BODIES) {
  test(`a body to ${on} a ${resource.name} that is read is one by the description`, () => {
    const schema = `${resource.title}${on === 'create' ? 'Create' : 'Change'}`;
    const ajv = strictAjv(describeApi(ROUTES, FACTS));
    const validate = ajv.compile({ $ref: `api#/components/schemas/${schema}` });
    let taken = 0;

    const property = fc.property(bodyOf(resource), (body) => {
      if (!isRead(resource, body, on)) return;
      taken++;
      assert.ok(validate(body), `${JSON.stringify(body)}: ${ajv.errorsText(validate.errors)}`);
    });

    fc.assert(property, { numRuns: 500 });
    assert.ok(taken > 50, `only ${taken} bodies were taken`);
  });
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly security?: readonly unknown[];
  readonly responses: object;
}

/** As clients get it. */
function toJson(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
}

/** Bodies with attributes of a resource: mostly those that may be set, mostly with values of their kind. */
function bodyOf(resource: Resource): fc.Arbitrary<Record<string, unknown>> {
  const any = fc.oneof(
    fc.string(),
    fc.constantFrom(null, true, false, 'yes', 'maybe', 0, 1, 7, -1, 1.5, '12', '-3', ' 5 ', 1e300, [], {}, [1]),
    fc.uuid(),
    fc.constant('2030-01-31T18:00:00Z'),
    fc.integer({ min: 250, max: 260 }).map((length) => 'x'.repeat(length)),
    fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
  );
  const attributes = Object.entries(resource.attributes).map(([name, { setOn, schema, limit, isFile, isRequired }]) => {
    const own = ownValues(schema, limit === undefined ? undefined : LIMITS[limit].usual);
    const isCheckedLater = limit !== undefined || schema['format'] === 'uuid' || schema['type'] === 'object';
    const value = isCheckedLater ? own : fc.oneof(own, own, own, any);
    const percent = setOn === 'never' || isFile ? 1 : isRequired ? 95 : 50;
    return fc.tuple(fc.nat({ max: 99 }), value).map(([at, given]) => (at < percent ? [[name, given] as const] : []));
  });
  return fc.tuple(...attributes).map((entries): Record<string, unknown> => Object.fromEntries(entries.flat()));
}

function ownValues({ type, format, enum: values }: JsonSchema, usual: number | undefined): fc.Arbitrary<unknown> {
  if (usual !== undefined) return fc.constantFrom(usual, String(usual));
  if (values !== undefined) return fc.constantFrom(...(values as unknown[]));
  if (format === 'uuid') return fc.oneof(fc.uuid(), fc.constant(null));
  if (type === 'object') return fc.constantFrom({ source: 'package' }, '{"source": "package"}');
  if (type === 'integer') return fc.oneof(fc.nat(), fc.nat().map(String));
  if (type === 'boolean') return fc.constantFrom(true, false, 'on', '0', 1);
  return fc.string();
}

function isRead(resource: Resource, body: Record<string, unknown>, on: 'create' | 'change'): boolean {
  try {
    readBody(resource, body, on);
    return true;
  } catch {
    return false;
  }
}
