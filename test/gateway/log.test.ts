import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { logLevelOf, openLog, type LogOptions } from '../../gateway/log.ts';

function open(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { log: openLog({ level: 'info', destination, ...options }), lines };
}

describe('the log', () => {
  test('is a line of JSON for each event at or above the level', () => {
    const { log, lines } = open();
    log.debug('not shown');
    log.child({ part: 'link' }).warn({ agent: 'a' }, 'lost');
    assert.equal(lines.length, 1);
    const { level, part, agent, msg, time } = JSON.parse(lines[0]!) as Record<string, unknown>;
    assert.deepEqual([level, part, agent, msg], ['warn', 'link', 'a', 'lost']);
    assert.match(String(time), /^\d{4}-\d\d-\d\dT.*Z$/);
  });

  test('holds no tokens and no authorization headers', () => {
    const { log, lines } = open();
    const headers = { authorization: 'hunter2', 'x-auth-token': 'hunter2', host: 'h' };
    log.info({ token: 'hunter2', internal: { token: 'hunter2' }, headers, request: { headers } }, 'request');
    log.child({ 'x-auth-token': 'hunter2' }).info('child');
    assert.ok(!lines.join('').includes('hunter2'), lines.join(''));
    assert.match(lines[0]!, /"host":"h"/);
  });

  test('has short lines with the stack of an error where a person reads', () => {
    const { log, lines } = open({ isTerminal: true });
    log.child({ part: 'store' }).error({ err: new Error('disk full'), count: 3 }, 'commit failed');
    assert.match(lines[0]!, /^\d\d:\d\d:\d\d\.\d{3} error store: commit failed count=3\nError: disk full\n +at .*\n$/s);
  });

  test('is at least at debug where the configuration says debug', () => {
    assert.equal(logLevelOf({ logLevel: 'info', debug: true }), 'debug');
    assert.equal(logLevelOf({ logLevel: 'trace', debug: true }), 'trace');
    assert.equal(logLevelOf({ logLevel: 'warn', debug: false }), 'warn');
  });
});
