import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { readCredentialsFile } from '../../../../gateway/auth/static/credentials-file.ts';
import { ConfigError } from '../../../../gateway/config/config-error.ts';
import { emptyFolder } from '../../../support/folder.ts';

const HASH = `$scrypt$ln=15,r=8,p=3$${'A'.repeat(22)}$${'B'.repeat(43)}`;
const TOKEN = `sha256:${'0a'.repeat(32)}`;

function write(t: TestContext, content: string): string {
  const path = join(emptyFolder(t), 'credentials.yaml');
  writeFileSync(path, content);
  return path;
}

function faultsOf(path: string): string[] {
  try {
    readCredentialsFile(path);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    for (const line of error.message.split('\n')) assert.ok(line.startsWith(path), line);
    return error.message.split('\n').map((line) => line.slice(path.length).replace(/^: /, ''));
  }
  return [];
}

describe('the file of credentials', () => {
  test('is YAML', (t) => {
    const path = write(
      t,
      `# who may
users:
  - name: alice
    project: demo
    password: ${HASH}
  - {name: root, project: ops, roles: [admin, member], tokens: ['${TOKEN}']}
`,
    );
    const [alice, root, ...others] = readCredentialsFile(path);
    assert.deepEqual(others, []);
    assert.deepEqual(alice!.identity, { userId: 'alice', projectId: 'demo', roles: ['member'] });
    assert.equal(alice!.passwordHash?.logN, 15);
    assert.deepEqual(alice!.tokenHashes, []);
    assert.deepEqual(root!.identity, { userId: 'root', projectId: 'ops', roles: ['admin', 'member'] });
    assert.deepEqual([root!.passwordHash, root!.tokenHashes], [undefined, [TOKEN]]);
  });

  test('or JSON', (t) => {
    const user = { name: 'ä b', project: 'p', roles: [], tokens: [TOKEN] };
    const [read] = readCredentialsFile(write(t, JSON.stringify({ users: [user] }, undefined, '\t')));
    assert.deepEqual(read!.identity, { userId: 'ä b', projectId: 'p', roles: [] });
  });

  test('is refused with every fault, and no fault shows a secret', (t) => {
    const users = [
      { name: 'a:b', project: 'p', password: HASH },
      { name: 'alice', project: '', password: 'hunter2' },
      { name: 'alice', project: 'p'.repeat(81), roles: 'admin', tokens: [TOKEN] },
      { project: 'p', tokens: ['hunter2'], token: 'hunter2' },
      { name: 'bob', project: 'p', tokens: [TOKEN] },
      { name: 'carol', project: 7 },
      'dave',
    ];
    const faults = faultsOf(write(t, JSON.stringify({ users })));
    assert.deepEqual(faults, [
      'users[0] (a:b): name: must be text of 1 to 255 characters, no colon',
      'users[1] (alice): project: must be text of 1 to 80 characters',
      'users[1] (alice): password: must be a hash, as hash-password prints it',
      'users[2] (alice): project: must be text of 1 to 80 characters',
      'users[2] (alice): roles: must be a list of texts',
      'users[3]: name: must be text of 1 to 255 characters, no colon',
      'users[3]: token: there is no such key',
      'users[3]: tokens: must be a list of hashes, as new-token prints them',
      'users[5] (carol): project: must be text of 1 to 80 characters',
      'users[5] (carol): has neither a password nor tokens',
      'users[6]: must have name, project and a password or tokens',
      'users[6]: project: must be text of 1 to 80 characters',
      'users[6]: has neither a password nor tokens',
      'alice: two users have this name',
      'bob: has a token that is listed already (alice)',
    ]);
  });

  test('must be there, readable, and hold users', (t) => {
    assert.deepEqual(faultsOf('/does/not/exist'), ['cannot be read (ENOENT)']);
    assert.deepEqual(faultsOf(emptyFolder(t)), ['cannot be read (EISDIR)']);
    for (const content of ['', '[]', 'users:', 'users: []', 'users: {alice: {}}', '"users"']) {
      assert.deepEqual(faultsOf(write(t, content)), ['must hold a list of users'], content);
    }
    const more = `users: [{name: a, project: p, password: ${JSON.stringify(HASH)}}]\nadmins: []\n`;
    assert.deepEqual(faultsOf(write(t, more)), ['may hold nothing beside the list of users']);
    assert.deepEqual(faultsOf(write(t, 'users:\n  - name: "a\n')), [':3: is neither YAML nor JSON (MISSING_CHAR)']);
    const twice = 'users: []\nusers: []\n';
    assert.deepEqual(faultsOf(write(t, twice)), [':2: is neither YAML nor JSON (DUPLICATE_KEY)']);
    assert.deepEqual(faultsOf(write(t, '#'.repeat(2 ** 21 + 1))), ['is larger than 2097152 bytes']);
  });

  test('does not blow up by its aliases', (t) => {
    const lines = Array.from({ length: 30 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}]`);
    const path = write(t, `a0: &a0 [x]\n${lines.join('\n')}\n`);
    assert.deepEqual(faultsOf(path), ['has too many aliases, or one of nothing']);
    assert.match(faultsOf(write(t, 'users: *nobody')).join(), /alias|YAML/);
  });

  test('is read or refused, whatever stands in it', (t) => {
    const folder = emptyFolder(t);
    const path = join(folder, 'any');
    const value = fc.oneof(
      fc.constantFrom('alice', HASH, TOKEN, [TOKEN], ['admin'], null, '__proto__'),
      fc.jsonValue(),
    );
    const key = fc.constantFrom('name', 'project', 'roles', 'password', 'tokens', '__proto__', 'x');
    const users = fc.array(fc.dictionary(key, value, { maxKeys: 6 }), { maxLength: 4 });
    const content = fc.oneof(
      users.map((list) => JSON.stringify({ users: list })),
      fc.jsonValue().map((json) => JSON.stringify({ users: json })),
      fc.string(),
    );
    fc.assert(
      fc.property(content, (text) => {
        writeFileSync(path, text);
        try {
          for (const { identity } of readCredentialsFile(path)) assert.ok(identity.projectId.length > 0);
        } catch (error) {
          assert.ok(error instanceof ConfigError, String(error));
        }
      }),
    );
  });
});
