import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadedValues } from '../../../gateway/invoke/loaded-values.ts';

interface Value {
  readonly text: string;
}

/** Reads that the test answers. */
function openReads() {
  const answers: { resolve: (value: Value) => void; reject: (cause: Error) => void }[] = [];
  const read = () => new Promise<Value>((resolve, reject) => answers.push({ resolve, reject }));
  return { read, answers };
}

test('a value is read once and then found', async () => {
  const { read, answers } = openReads();
  const values = new LoadedValues<Value>(10);
  const asked = [values.load('a', read), values.load('a', read)];
  assert.equal(answers.length, 1);
  assert.equal(values.find('a'), undefined);

  answers[0]!.resolve({ text: 'one' });

  assert.deepEqual(await Promise.all(asked), [{ text: 'one' }, { text: 'one' }]);
  assert.deepEqual(values.find('a'), { text: 'one' });
  assert.equal(values.find('b'), undefined);
});

test('a read that fails tells all who asked, and is not kept', async () => {
  const { read, answers } = openReads();
  const values = new LoadedValues<Value>(10);
  const asked = [values.load('a', read), values.load('a', read)];
  answers[0]!.reject(new Error('gone'));

  for (const one of asked) await assert.rejects(one, /gone/);
  const again = values.load('a', read);
  answers[1]!.resolve({ text: 'back' });
  assert.deepEqual(await again, { text: 'back' });
});

test('a dropped value is read again', async () => {
  const values = new LoadedValues<Value>(10);
  await values.load('a', () => Promise.resolve({ text: 'old' }));
  await values.load('b', () => Promise.resolve({ text: 'other' }));

  values.drop('a');
  assert.equal(values.find('a'), undefined);
  assert.deepEqual(values.find('b'), { text: 'other' });
  values.dropAll();
  assert.equal(values.find('b'), undefined);
});

for (const [how, drop] of [
  ['alone', (values: LoadedValues<Value>) => values.drop('a')],
  ['with all', (values: LoadedValues<Value>) => values.dropAll()],
] as const) {
  test(`a value that was dropped ${how} while it was read is not kept, also when it comes after its successor`, async () => {
    const { read, answers } = openReads();
    const values = new LoadedValues<Value>(10);
    const old = values.load('a', read);
    drop(values);
    const next = values.load('a', read);
    answers[1]!.resolve({ text: 'new' });
    await next;

    answers[0]!.resolve({ text: 'old' });

    assert.deepEqual(await old, { text: 'old' });
    assert.deepEqual(values.find('a'), { text: 'new' });
  });

  test(`a value that was dropped ${how} is not kept while its successor is read`, async () => {
    const { read, answers } = openReads();
    const values = new LoadedValues<Value>(10);
    const old = values.load('a', read);
    drop(values);
    const next = values.load('a', read);

    answers[0]!.resolve({ text: 'old' });

    await old;
    assert.equal(values.find('a'), undefined);
    answers[1]!.resolve({ text: 'new' });
    assert.deepEqual(await next, { text: 'new' });
    assert.deepEqual(values.find('a'), { text: 'new' });
  });
}

test('the values that were used least recently give way', async () => {
  const values = new LoadedValues<Value>(2);
  for (const key of ['a', 'b']) await values.load(key, () => Promise.resolve({ text: key }));
  values.find('a');
  await values.load('c', () => Promise.resolve({ text: 'c' }));

  assert.deepEqual([values.find('a')?.text, values.find('b')?.text, values.find('c')?.text], ['a', undefined, 'c']);
});
