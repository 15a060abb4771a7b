import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HELP, parseCommandLine, UsageError } from '../../gateway/command-line.ts';

describe('the command line', () => {
  test('with nothing on it asks to serve', () => {
    assert.deepEqual(parseCommandLine([]), { kind: 'serve', configFile: undefined, overrides: new Map() });
  });

  test('names a file and sets the options that it has words for', () => {
    const args = ['--config-file', 'q.conf', '--host=::1', '--port', '0', '--data-dir', '/d'];
    assert.deepEqual(parseCommandLine(args), {
      kind: 'serve',
      configFile: 'q.conf',
      overrides: new Map([
        ['api.host', '::1'],
        ['api.port', '0'],
        ['DEFAULT.data_dir', '/d'],
      ]),
    });
  });

  test('asks for help, the version or the sample', () => {
    assert.equal(parseCommandLine(['--help']).kind, 'help');
    assert.equal(parseCommandLine(['-h']).kind, 'help');
    assert.equal(parseCommandLine(['--version']).kind, 'version');
    assert.equal(parseCommandLine(['--print-config-sample']).kind, 'printConfigSample');
  });

  test('asks for the hash of a password or a new token, with nothing beside it', () => {
    assert.deepEqual(parseCommandLine(['hash-password']), { kind: 'hashPassword' });
    assert.deepEqual(parseCommandLine(['new-token']), { kind: 'newToken' });
    assert.throws(() => parseCommandLine(['hash-password', 'hunter2']), UsageError);
    assert.throws(() => parseCommandLine(['new-token', '--port', '1']), UsageError);
  });

  test('that is not understood is told of in one line', () => {
    for (const args of [['--prot', '1'], ['serve'], ['--port'], ['--help=3'], ['--port', '--host']]) {
      assert.throws(
        () => parseCommandLine(args),
        (error) => {
          assert.ok(error instanceof UsageError);
          assert.match(error.message, /^[^\n]*--help tells the options\)$/);
          return true;
        },
      );
    }
    assert.throws(() => parseCommandLine(['--prot', '1']), /Unknown option '--prot'/);
  });

  test('is understood or refused, whatever stands on it', () => {
    const word = fc.oneof(fc.string(), fc.constantFrom('--port', '--', '-h', '--host=', '--config-file', '-'));
    fc.assert(
      fc.property(fc.array(word), (args) => {
        try {
          parseCommandLine(args);
        } catch (error) {
          assert.ok(error instanceof UsageError);
        }
      }),
    );
  });

  test('has all its words in the help', () => {
    for (const word of ['config-file', 'host', 'port', 'data-dir', 'print-config-sample', 'version', 'help']) {
      assert.match(HELP, new RegExp(`--${word} `));
    }
    assert.match(HELP, /hash-password .*\n.*new-token /);
  });
});
