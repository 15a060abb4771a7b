import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseIni } from '../../../gateway/config/ini-file.ts';

function read(content: string): string[] {
  return parseIni(content).groups.flatMap((group) =>
    group.entries.map(({ name, text, line }) => `${line} ${group.name}.${name}=${text}`),
  );
}

describe('a configuration file', () => {
  test('gives the options of each group with their lines', () => {
    assert.deepEqual(read('a = 1\n[x]\nb=2\nc : 3\n\n[DEFAULT]\nd ='), [
      '1 DEFAULT.a=1',
      '3 x.b=2',
      '4 x.c=3',
      '7 DEFAULT.d=',
    ]);
  });

  test('may begin with a byte order mark and end its lines as Windows does', () => {
    assert.deepEqual(read('\uFEFF[x]\r\na = 1\r\n'), ['2 x.a=1']);
  });

  test('has comments in lines of their own, which may be indented', () => {
    assert.deepEqual(read('# a = 1\n  ; b = 2\nc = 3'), ['3 DEFAULT.c=3']);
  });

  test('keeps #, ;, = and : inside a value', () => {
    assert.deepEqual(read('token = a#b;c=d:e'), ['1 DEFAULT.token=a#b;c=d:e']);
  });

  test('keeps everything between quotes around a whole value', () => {
    assert.deepEqual(read(`a = " x # y "\nb = '"'\nc = "open`), [
      '1 DEFAULT.a= x # y ',
      '2 DEFAULT.b="',
      '3 DEFAULT.c="open',
    ]);
  });

  test('is refused where a comment follows a value, rather than cut or taken in', () => {
    const { faults } = parseIni('port = 1 # why\nhost = h ; why');
    assert.deepEqual(
      faults.map((fault) => fault.line),
      [1, 2],
    );
    assert.match(faults[0]!.message, /^port: a comment needs a line of its own/);
  });

  test('is refused with every line that is neither a group nor an option', () => {
    const { faults } = parseIni('[x\nword\n= 3\n[]\na = 1');
    assert.deepEqual(
      faults.map((fault) => fault.line),
      [1, 2, 3, 4],
    );
  });

  test('of any text is read without a crash, each line at most once', () => {
    const line = fc.oneof(fc.string(), fc.stringMatching(/^[[\]='"#;: a\\]*$/));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const content = lines.join('\n');
        const { groups, faults } = parseIni(content);
        const numbers = [...groups.flatMap((group) => group.entries), ...faults].map((item) => item.line);
        assert.equal(new Set(numbers).size, numbers.length);
      }),
    );
  });
});
