import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Reply } from '../../support/resource-server.ts';
import { zipOf } from '../../support/zip.ts';
import {
  TABLES,
  UNKNOWN,
  created,
  openRig,
  tooLong,
  wrong,
  type Body,
  type Method,
  type ResourceTable,
  type Rig,
} from './contract-tables.ts';

const ZIP = zipOf({ 'main.py': 'def main(): return 1' });

for (const table of TABLES) describe(`the contract of ${table.path}`, () => holdTo(table));

function holdTo(table: ResourceTable): void {
  const { argument, path, isLenient = false } = table;
  const send = async (rig: Rig, change: Body) => post(rig, table, { ...(await table.least(rig)), ...change });

  test('a body is a JSON object of a type that is known', async (t) => {
    const rig = await openRig(t);
    const as = (type: string | undefined, body: string) =>
      rig.send('POST', path, { headers: type === undefined ? {} : { 'Content-Type': type }, body: Buffer.from(body) });
    const least = JSON.stringify(await table.least(rig));

    refused(await as('application/json', ''), 400, `Missing argument: "${argument}"`);
    refused(await as('application/json', '{"a": '), 400, 'Request is not in valid JSON format');
    for (const other of ['[]', 'null', '"text"', '5', 'true']) {
      refused(await as('application/json', other), 400, 'Request body must be a JSON object');
    }
    refused(await as('text/plain', least), 415, 'Unknown mimetype: text/plain');
    refused(await as('application/xml; charset=utf-8', '<a/>'), 415, 'Unknown mimetype: application/xml');
    if (!isLenient) {
      refused(await as('application/x-www-form-urlencoded', 'name=x&image=y'), 400, 'Unknown argument: "name"');
    }
    const accepted = await as('Application/JSON ; charset=UTF-8', least);
    if (!isLenient) assert.equal(accepted.status, 201, accepted.text);
    else refused(accepted, 400, 'The file part package is missing.');
  });

  test('what is needed is asked for, and null is the same as nothing', async (t) => {
    const rig = await openRig(t);
    for (const [name, message] of Object.entries(table.missing)) {
      const { [name]: _, ...others } = await table.least(rig);
      refused(await rig.sendJson('POST', path, others), 400, message);
      refused(await rig.sendJson('POST', path, { ...others, [name]: null }), 400, message);
    }
    const least = await table.least(rig);
    const optional = [...Object.keys(table.texts), ...table.booleans, ...table.integers].filter(
      (name) => !(name in table.missing) && !(name in least),
    );
    const plain = created(await send(rig, {}));
    const withNulls = created(await send(rig, Object.fromEntries(optional.map((name) => [name, null]))));
    for (const name of optional) assert.deepEqual(withNulls.json[name], plain.json[name], name);
  });

  test('unknown attributes, and those that only the service sets, are refused even when null, or ignored', async (t) => {
    const rig = await openRig(t);
    const surprises = ['surprise', '__proto__', 'constructor', 'n'.repeat(200)];
    for (const name of surprises) {
      const body = JSON.parse(`{"${name}": null}`) as Body;
      const reply = await post(rig, table, Object.assign(Object.create(null), await table.least(rig), body) as Body);
      if (isLenient) created(reply);
      else refused(reply, 400, `Unknown attribute for argument ${argument}: ${name.slice(0, 100)}`);
    }
    for (const name of table.readOnly) {
      for (const [value, shown] of [
        [UNKNOWN, UNKNOWN],
        [null, 'null'],
      ] as const) {
        refused(await send(rig, { [name]: value }), 400, wrong(name, shown, 'Cannot set read only field.'));
      }
    }
  });

  test('texts are texts up to their length in characters', async (t) => {
    const rig = await openRig(t);
    for (const [name, length] of Object.entries(table.texts)) {
      for (const character of ['x', 'ü', '\u{1F600}']) {
        const longest = character.repeat(length);
        assert.equal(created(await send(rig, { [name]: longest })).json[name], longest);
        const shown = `${longest}${character}`.slice(0, 100);
        refused(await send(rig, { [name]: longest + character }), 400, wrong(name, shown, tooLong(length)));
      }
      if (isLenient) continue; // fields of a form are texts
      for (const [value, shown] of [
        [1, '1'],
        [true, 'true'],
        [['a'], '["a"]'],
        [{ a: 1 }, '{"a":1}'],
      ] as const) {
        refused(await send(rig, { [name]: value }), 400, wrong(name, shown, 'Wrong type. Expected a string.'));
      }
    }
  });

  test('booleans are also numbers and the usual words', async (t) => {
    const rig = await openRig(t);
    for (const name of table.booleans) {
      for (const value of [false, 0, 'false', 'False', 'F', 'no', 'N', 'off', '0', ' OFF ']) {
        assert.equal(created(await send(rig, { [name]: value })).json[name], false, `${name}: ${String(value)}`);
      }
      for (const value of [true, 1, -1, 0.5, 'true', 'TRUE', 't', 'yes', 'Y', 'on', '1']) {
        const reply = await send(rig, { [name]: value });
        // a synchronous execution is taken, but there is no worker
        if (name === 'sync') assert.equal(reply.status, 503, reply.text);
        else assert.equal(created(reply).json[name], true, `${name}: ${String(value)}`);
      }
      for (const [value, shown] of [
        ['maybe', 'maybe'],
        ['', ''],
        ['2', '2'],
        [[], '[]'],
        [{}, '{}'],
      ] as const) {
        refused(await send(rig, { [name]: value }), 400, wrong(name, shown, 'Wrong type. Expected a boolean.'));
      }
    }
  });

  test('integers are also decimal text', async (t) => {
    const rig = await openRig(t);
    for (const name of table.integers) {
      for (const value of [0, '0', ' 0 ', '+0', '00', -0]) {
        assert.equal(created(await send(rig, { [name]: value })).json[name], 0, `${name}: ${String(value)}`);
      }
      for (const [value, shown] of [
        ['one', 'one'],
        ['', ''],
        ['1.0', '1.0'],
        ['1e3', '1e3'],
        ['9'.repeat(16), '9'.repeat(16)],
        [1.5, '1.5'],
        [2 ** 53, '9007199254740992'],
        [true, 'true'],
        [[1], '[1]'],
      ] as const) {
        refused(await send(rig, { [name]: value }), 400, wrong(name, shown, 'Wrong type. Expected an integer.'));
      }
    }
  });

  for (const [change, status, message] of table.refused) {
    test(`${JSON.stringify(change).slice(0, 60)} is answered ${status}: ${message.slice(0, 60)}`, async (t) => {
      const rig = await openRig(t);
      refused(await rig.sendJson('POST', path, { ...(await table.least(rig)), ...change }), status, message);
    });
  }

  test('what is not there is not found, and what was deleted is gone', async (t) => {
    const rig = await openRig(t);
    const id = await table.make(rig);
    const requests: (readonly [Method, string])[] = [['GET', ''], ...table.below, ['DELETE', '']];
    for (const [method, rest] of requests) {
      refused(await rig.send(method, `${path}/${UNKNOWN}${rest}`), 404, table.notFound(UNKNOWN));
    }
    const gone = await rig.send('DELETE', `${path}//${encodeURIComponent(id)}/`);
    assert.deepEqual([gone.status, gone.text], [204, '']);
    if (table.isGoneLater !== true)
      refused(await rig.send('GET', `${path}/${encodeURIComponent(id)}`), 404, table.notFound(id));
  });

  test('an id is a UUID in any case', async (t) => {
    if (table.isNamed === true) return;
    const rig = await openRig(t);
    const id = await table.make(rig);
    const requests: (readonly [Method, string])[] = [['GET', ''], ...table.below, ['DELETE', '']];
    for (const [method, rest] of requests) {
      for (const [sent, shown] of [
        ['x', 'x'],
        [`${UNKNOWN}0`, `${UNKNOWN}0`],
        ['%C3%BC', 'ü'],
        [UNKNOWN.replaceAll('-', ''), UNKNOWN.replaceAll('-', '')],
        ['y'.repeat(150), 'y'.repeat(100)],
      ] as const) {
        const why = 'Value should be UUID format.';
        refused(await rig.send(method, `${path}/${sent}${rest}`), 400, wrong('id', shown, why));
      }
    }
    const upper = await rig.send('GET', `${path}/${id.toUpperCase()}`);
    assert.deepEqual([upper.status, upper.json['id']], [200, id]);
  });

  test('a change is checked like what is created', async (t) => {
    if (!table.isChangeable) return;
    const rig = await openRig(t);
    const id = await table.make(rig);
    const put = (body: Body) => rig.sendJson('PUT', `${path}/${id}`, body);

    const changeable = Object.entries(table.texts).filter(([name]) => table.fixed?.includes(name) !== true);
    for (const [name, length] of changeable) {
      const shown = 'x'.repeat(Math.min(length + 1, 100));
      refused(await put({ [name]: 'x'.repeat(length + 1) }), 400, wrong(name, shown, tooLong(length)));
    }
    if (!isLenient) refused(await put({ surprise: 1 }), 400, `Unknown attribute for argument ${argument}: surprise`);
    for (const name of table.readOnly) {
      refused(await put({ [name]: null }), 400, wrong(name, 'null', 'Cannot set read only field.'));
    }
    refused(await rig.sendJson('PUT', `${path}/${UNKNOWN}`, {}), 404, table.notFound(UNKNOWN));
    if (table.isNamed !== true) {
      refused(await rig.sendJson('PUT', `${path}/x`, {}), 400, wrong('id', 'x', 'Value should be UUID format.'));
    }
    const unchanged = await put(Object.fromEntries(Object.keys(table.texts).map((name) => [name, null])));
    assert.equal(unchanged.status, 200, unchanged.text);
  });

  test('other methods are not allowed, and the answer names those that are', async (t) => {
    const rig = await openRig(t);
    const id = await table.make(rig);
    const others = table.isChangeable ? ['PATCH', 'POST'] : ['PATCH', 'POST', 'PUT'];
    for (const method of others) {
      const reply = await rig.send(method, `${path}/${id}`);
      refused(reply, 405, 'The method is not allowed for this resource.');
      const methods = ['GET', ...(table.isChangeable ? ['PUT'] : []), 'DELETE', 'HEAD'];
      assert.deepEqual(reply.headers.get('allow')?.split(', ').sort(), methods.sort());
    }
    for (const method of ['PATCH', 'PUT', 'DELETE']) {
      refused(await rig.send(method, path), 405, 'The method is not allowed for this resource.');
    }
  });
}

/** Creates a record as its clients do it: functions by a form with their package. */
function post(rig: Rig, { path, isLenient }: ResourceTable, body: Body): Promise<Reply> {
  if (isLenient !== true) return rig.sendJson('POST', path, body);
  const fields: Record<string, string | Uint8Array> = { package: ZIP };
  for (const [name, value] of Object.entries(body)) {
    if (value !== null) fields[name] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return rig.sendForm('POST', path, fields);
}

/** An error is told in the three keys that every client understands, and as JSON. */
function refused({ status, headers, json, text }: Reply, expectedStatus: number, faultstring: string): void {
  assert.equal(status, expectedStatus, text);
  assert.deepEqual(json, { faultcode: 'Client', faultstring, debuginfo: null });
  assert.equal(headers.get('content-type'), 'application/json');
}
