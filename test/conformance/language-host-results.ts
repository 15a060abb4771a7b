import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PATIENCE_MS, failureOf, logOf, outputOf, valueOf, type Rig } from './language-host-rig.ts';

const KIB = 1024;

/** Entry, input, output, and their order. */
export function resultPromises(rig: () => Rig): void {
  test('a function gets its input and returns its value', async (t) => {
    assert.equal(valueOf(await rig().run(t, 'main.echo', { value: 'Grüße' })), 'Grüße');
  });

  test('a function of a module in a folder is found by the last dot', async (t) => {
    assert.equal(valueOf(await rig().run(t, 'pkg.sub.main', { value: 1 })), 1);
  });

  test('a function without input is called without, and nothing returned is null', async (t) => {
    assert.equal(valueOf(await rig().run(t, 'main.greet')), 'no input');
    assert.equal(outputOf(await rig().run(t, 'main.nothing')), 'null');
  });

  test('a positional text arrives as it was sent', async (t) => {
    assert.equal(valueOf(await rig().run(t, 'main.echo', { __function_input: '6 "x" ü' })), '6 "x" ü');
  });

  test('a value that the function waits for is its result', async (t) => {
    assert.equal(valueOf(await rig().run(t, 'main.later', { value: 'late' })), 'late');
  });

  test('a function is told the number of its attempt, where it may have several', async (t) => {
    const subject = await rig().load(t, 'main.attempt');
    const name = '01930000-0000-7000-8000-000000000001';
    assert.equal(valueOf(await subject.invoke(undefined, PATIENCE_MS, name)), null);
    assert.equal(valueOf(await subject.invoke(undefined, PATIENCE_MS, `${name}/3`)), 3);
    assert.equal(valueOf(await subject.invoke(undefined, PATIENCE_MS, name)), null);
  });

  test('the output is JSON text as Python writes it: ASCII, and a space after comma and colon', async (t) => {
    const value = [1, 1.5, true, null, 'a,b: "c" \\ \n', { 'ü,:': ['\u{1f600}', '\u2028', {}, []] }];
    const outcome = await rig().run(t, 'main.echo', { value });
    assert.equal(
      outputOf(outcome),
      String.raw`[1, 1.5, true, null, "a,b: \"c\" \\ \n", {"\u00fc,:": ["\ud83d\ude00", "\u2028", {}, []]}]`,
    );
  });

  test('any JSON goes through a function unchanged, call after call', async (t) => {
    const subject = await rig().load(t, 'main.echo');
    const jsonValue = fc.jsonValue({ stringUnit: 'binary' }).map((value) => JSON.stringify(value));
    const texts = fc.sample(jsonValue, { numRuns: 200, seed: 7 });
    const outcomes = await Promise.all(texts.map((text) => subject.invoke({ value: JSON.parse(text) as unknown })));
    for (const [index, outcome] of outcomes.entries()) {
      assert.equal(JSON.stringify(sorted(valueOf(outcome))), JSON.stringify(sorted(JSON.parse(texts[index]!))));
      assert.match(outputOf(outcome), /^[\x20-\x7f]*$/);
    }
  });

  test('invocations given together run one after the other, in their order, in one process', async (t) => {
    const subject = await rig().load(t, 'main.count');
    const outcomes = await Promise.all(Array.from({ length: 300 }, () => subject.invoke({})));
    assert.deepEqual(
      outcomes.map(valueOf),
      outcomes.map((_, index) => index + 1),
    );
    assert.equal(subject.child.inFlight, 0);
  });

  test('no result is lost when the agent reads late', async (t) => {
    const subject = await rig().load(t, 'main.large');
    const results = Promise.all(Array.from({ length: 64 }, () => subject.invoke({ bytes: 12 * KIB })));
    await new Promise((resolve) => setTimeout(resolve, 1)); // the invocations are sent
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300); // more comes than the socket holds
    assert.deepEqual(
      new Set((await results).map((outcome) => (valueOf(outcome) as string).length)),
      new Set([12 * KIB]),
    );
  });

  test('an exception fails its own invocation, with its text; its trace is in the log', async (t) => {
    const subject = await rig().load(t, 'main.raises');
    const outcome = await subject.invoke({ value: 'went wrong: ü' });
    assert.equal(failureOf(outcome), 'went wrong: ü');
    assert.match(logOf(outcome), /went wrong/);
    assert.equal(failureOf(await subject.invoke({ value: 'again' })), 'again');
    assert.equal(subject.child.isAlive, true);
  });

  for (const name of ['no_json', 'not_a_number']) {
    test(`a result that is not JSON (${name}) fails with a text that says so`, async (t) => {
      assert.match(failureOf(await rig().run(t, `main.${name}`)), /^Result is not JSON serializable: ./);
    });
  }

  test('a result over the limit fails with both sizes, and one at the limit does not', async (t) => {
    const subject = await rig().load(t, 'main.large', { maxOutputBytes: 1_002 });
    assert.equal((valueOf(await subject.invoke({ bytes: 1_000 })) as string).length, 1_000);
    assert.equal(
      failureOf(await subject.invoke({ bytes: 1_001 })),
      'Result of 1003 bytes is larger than the limit of 1002 bytes.',
    );
  });

  test('large input and output go through', async (t) => {
    const value = 'ab'.repeat(1024 * KIB);
    assert.equal(valueOf(await rig().run(t, 'main.echo', { value })), value);
  });

  test('as large a result as the gateway may allow goes through, inside of an object', async (t) => {
    const limits = { maxOutputBytes: 32 * 1024 * KIB, memoryBytes: 1024 * 1024 * KIB };
    const subject = await rig().load(t, 'main.echo', limits);
    const value = { text: 'ab'.repeat(15 * 1024 * KIB) };
    assert.deepEqual(valueOf(await subject.invoke({ value })), value);
  });

  for (const [what, entry, text] of [
    ['without a dot', 'main', /main/],
    ['of an unknown module', 'nothing_there.main', /nothing_there/],
    ['of an unknown function', 'main.nothing_there', /nothing_there/],
    ['whose import fails', 'printing.main', /nothing_there/],
  ] as const) {
    test(`an entry ${what} does not load and says why`, async () => {
      assert.match(failureOf(await rig().loadFailure(entry)), text);
    });
  }

  test('what an import prints before it fails is in the log', async () => {
    assert.match(logOf(await rig().loadFailure('printing.main')), /^printed by the import\n[^]*nothing_there/);
  });

  test('a process that ends while it imports does not load', async () => {
    assert.equal((await rig().loadFailure('dying.main')).kind, 'killed');
  });

  test('an import that does not end is ended', async () => {
    assert.equal((await rig().loadFailure('endless.main', 500)).kind, 'timeout');
  });
}

/** The same value with the members of objects in one order: some languages keep none. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .map(([name, inner]) => [name, sorted(inner)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}
