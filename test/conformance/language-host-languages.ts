import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PATIENCE_MS, failureOf, logOf, outputOf, valueOf, type Rig } from './language-host-rig.ts';

const RESOURCES = 'Function execution failed because of too much resource consumption';
const CONTEXT = { os_session: null };

/** What is promised of single languages, by the name of the runtime: how their functions are called (rest-api 3.5). */
export const languagePromises: Readonly<Record<string, (rig: () => Rig) => void>> = {
  nodejs: nodejsPromises,
  python2: pythonPromises,
  python3: (rig) => {
    pythonPromises(rig);
    python3Promises(rig);
  },
  ruby: rubyPromises,
};

function pythonPromises(rig: () => Rig): void {
  test('Python: the context goes to functions that take one, over a key of the caller', async (t) => {
    const given = { value: 1, context: 'mine' };
    assert.deepEqual(valueOf(await rig().run(t, 'main.with_context', given)), [1, CONTEXT]);
    const wanted = [[], { value: 1, context: CONTEXT }];
    assert.deepEqual(valueOf(await rig().run(t, 'main.with_keywords', given)), wanted);
  });

  test('Python: a list of positional arguments goes before the keywords', async (t) => {
    const outcome = await rig().run(t, 'main.with_keywords', { __function_input: ['a', 2], q: 1 });
    assert.deepEqual(valueOf(outcome), [['a', 2], { q: 1, context: CONTEXT }]);
  });

  test('Python: an argument that a function does not know is an error', async (t) => {
    assert.match(failureOf(await rig().run(t, 'main.echo', { value: 1, name: 'x' })), /unexpected keyword argument/);
  });

  test('Python: a module may have the name of one that comes with the language', async (t) => {
    assert.match(valueOf(await rig().run(t, 'socket.main')) as string, /^Has the name/);
  });

  test('Python: SystemExit and endless recursion fail their own invocation only', async (t) => {
    const outcome = await rig().run(t, 'main.leaves');
    assert.equal(failureOf(outcome), 'left');
    assert.match(failureOf(await rig().run(t, 'main.recurses')), /recursion/);
  });

  test('Python: the trace in the log begins with the code of the function', async (t) => {
    const log = logOf(await rig().run(t, 'main.raises', { value: 'x' }));
    assert.match(log, /^Traceback \(most recent call last\):\n {2}File ".*main\.py", line \d+, in raises\n/);
  });

  test('Python: too many open files is told as the language tells it', async (t) => {
    assert.match(failureOf(await rig().run(t, 'main.opens')), /^\[Errno 24\] Too many open files/);
  });

  test('Python: too many processes is too much of the resources', async (t) => {
    if (!rig().isolation.changesUser) return t.skip('without root, other processes of our user count');
    assert.equal(failureOf(await rig().run(t, 'main.forks', { processes: 1_000 })), RESOURCES);
  });

  test('Python: a function that returns in two processes has one result', async (t) => {
    const subject = await rig().load(t, 'main.returns_twice');
    assert.equal(valueOf(await subject.invoke()), 'once');
    assert.equal(valueOf(await subject.invoke()), 'once');
  });
}

function python3Promises(rig: () => Rig): void {
  test('Python 3: a coroutine is run to its end', async (t) => {
    const subject = await rig().load(t, 'asynchronous.main');
    assert.deepEqual(
      [1, 2],
      [valueOf(await subject.invoke({ value: 1 })), valueOf(await subject.invoke({ value: 2 }))],
    );
    assert.equal(failureOf(await rig().run(t, 'asynchronous.fails')), 'went wrong');
  });
}

function nodejsPromises(rig: () => Rig): void {
  test('Node.js: a function of an ES module gets context and input', async (t) => {
    assert.equal(outputOf(await rig().run(t, 'modern.main')), '{"context": {}, "input": null}');
  });

  for (const [name, text] of [
    ['throws_later', 'too late'],
    ['rejects_elsewhere', 'not awaited'],
  ] as const) {
    test(`Node.js: an error that nobody awaits (${name}) fails the running invocation`, async (t) => {
      assert.equal(failureOf(await rig().run(t, `main.${name}`)), text);
    });
  }
}

function rubyPromises(rig: () => Rig): void {
  test('Ruby: the context goes to functions that name it, beside the input and without', async (t) => {
    const subject = await rig().load(t, 'main.with_context');
    assert.deepEqual(valueOf(await subject.invoke({ value: 1 }, PATIENCE_MS, 'an-execution/2')), [1, { attempt: 2 }]);
    assert.deepEqual(valueOf(await subject.invoke({ value: 1 })), [1, {}]);
  });

  test('Ruby: a function that returns in two processes has one result', async (t) => {
    const subject = await rig().load(t, 'main.returns_twice');
    assert.equal(valueOf(await subject.invoke()), 'once');
    assert.equal(valueOf(await subject.invoke()), 'once');
  });
}
