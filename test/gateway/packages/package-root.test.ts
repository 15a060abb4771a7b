import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootOf } from '../../../gateway/packages/package-root.ts';

test('a module at the top leaves the root where it is', () => {
  assert.equal(rootOf(['main.py', 'lib/main.py'], 'main.main'), '');
  assert.equal(rootOf(['lib/main.py', 'main.py'], 'main.main'), '');
  assert.equal(rootOf(['main/', 'main/__init__.py', 'main/main.py'], 'main.main'), '');
  assert.equal(rootOf(['main/index.js', 'main/main.js'], 'main.handler'), '');
});

test('the only folder that holds the module is the root', () => {
  assert.equal(rootOf(['home/user/dir/main.py', 'home/user/dir/other.py'], 'main.main'), 'home/user/dir/');
  assert.equal(rootOf(['home/', 'home/user/', 'home/user/main.mjs'], 'main.main'), 'home/user/');
  assert.equal(rootOf(['x/main/__init__.py', 'x/other/a.py'], 'main.main'), 'x/');
});

test('a folder that merely has the name of the module does not hide the file in it', () => {
  assert.equal(rootOf(['home/user/main/main.py', 'home/user/main/lib.py'], 'main.main'), 'home/user/main/');
  assert.equal(rootOf(['main/', 'main/main.py'], 'main.main'), 'main/');
});

test('a folder of the name counts where nothing else has it', () => {
  assert.equal(rootOf(['home/main/lib.js', 'home/other/lib.js'], 'main.main'), 'home/');
  assert.equal(rootOf(['main/lib.js'], 'main.main'), '');
});

test('two folders that hold the module leave the root where it is', () => {
  assert.equal(rootOf(['a/main.py', 'b/main.py'], 'main.main'), '');
  assert.equal(rootOf(['a/main/x', 'b/main/x'], 'main.main'), '');
});

test('a module below a package is found by its whole path', () => {
  assert.equal(rootOf(['pkg/__init__.py', 'pkg/sub.py'], 'pkg.sub.handler'), '');
  assert.equal(rootOf(['home/pkg/sub.py', 'home/other/sub.py', 'home/pkg/x.py'], 'pkg.sub.handler'), 'home/');
});

test('files of other names do not count, nor does what only begins or ends with the name', () => {
  assert.equal(rootOf(['a/main.test.js', 'b/xmain.js', '__MACOSX/a/._main.js', 'c/main.js'], 'main.main'), 'c/');
  assert.equal(rootOf(['a/readme.md'], 'main.main'), '');
  assert.equal(rootOf([], 'main.main'), '');
});

test('an entry without a dot is looked for as a module', () => {
  assert.equal(rootOf(['a/main.py'], 'main'), 'a/');
  assert.equal(rootOf(['a/main.py'], ''), '');
});
