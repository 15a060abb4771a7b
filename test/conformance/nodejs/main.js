'use strict';
// What the suite for language hosts asks of every language, in JavaScript.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');

let counter = 0;
const asleep = () => new Promise((resolve) => setTimeout(resolve, 600_000));

exports.echo = (context, input) => ('__function_input' in input ? input.__function_input : input.value);
exports.nothing = () => undefined;
exports.greet = (context, input) => (input === null ? 'no input' : 'some input');
exports.count = () => ++counter;
exports.raises = (context, { value }) => {
  throw new Error(value);
};
exports.later = (context, { value }) => new Promise((resolve) => setImmediate(() => resolve(value)));
exports.no_json = () => ({ held: 1n });
exports.not_a_number = () => NaN;
exports.large = (context, { bytes }) => 'x'.repeat(bytes);

exports.print_everywhere = (context, { value }) => {
  console.log(`language ${value}`);
  console.error(`language error ${value}`);
  fs.writeSync(1, `descriptor 1 ${value}\n`);
  fs.writeSync(2, `descriptor 2 ${value}\n`);
  spawnSync('sh', ['-c', `echo program ${value}`], { stdio: 'inherit' });
};

const LINE = `${'x'.repeat(1023)}\n`;
exports.flood = (context, { bytes }) => {
  for (let left = bytes; left > 0; left -= LINE.length) fs.writeSync(1, LINE);
  return 'done';
};
exports.flood_for_ever = () => {
  for (;;) fs.writeSync(1, LINE);
};

exports.sleeps = (context, input) => {
  console.log(input?.value ?? 'asleep');
  return asleep();
};
exports.prints = (context, { value }) => {
  console.log(value);
  return new Promise((resolve) => setTimeout(resolve, 2));
};
exports.attempt = (context) => context.attempt;
exports.spins = () => {
  for (;;);
};

// A child, its own child, and one in a session of its own whose parent is gone.
exports.start_programs = (context, { stay }) => {
  spawnSync('sh', ['-c', 'sleep 600 & (setsid sleep 600 & echo $!); echo $!'], { stdio: 'inherit' });
  const program = spawn('sleep', ['600'], { stdio: 'inherit' });
  fs.writeSync(1, `${program.pid}\n`);
  return stay ? asleep() : undefined;
};

exports.leave = (context, { code }) => {
  console.log('leaving');
  process.exit(code);
};
exports.crash = () => {
  process.kill(process.pid, 'SIGSEGV');
  return asleep();
};

exports.environment = () => ({ ...process.env });
exports.scratch = () => {
  fs.writeFileSync('note', 'note');
  return { cwd: process.cwd(), home: process.env.HOME, tmpdir: process.env.TMPDIR, pid: process.pid };
};
exports.identity = () => ({ uid: process.getuid(), gid: process.getgid(), groups: process.getgroups() });
exports.descriptors = () => {
  const found = {};
  for (const name of fs.readdirSync('/proc/self/fd')) {
    try {
      found[name] = fs.readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // the one that listed them
    }
  }
  return found;
};
exports.read_input = () => fs.readFileSync(0, 'utf8');
exports.hold = (context, { bytes, stay }) => {
  const held = Buffer.alloc(bytes, 'x');
  return stay ? asleep().then(() => held.length) : held.length;
};
exports.sleeps_if_told = (context, { stay }) => (stay ? asleep() : 'awake');
exports.throws_later = () => new Promise(() => setImmediate(() => void exports.raises({}, { value: 'too late' })));
exports.rejects_elsewhere = () => {
  Promise.reject(new Error('not awaited'));
  return asleep();
};
