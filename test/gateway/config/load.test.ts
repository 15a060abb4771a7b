import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { ConfigError } from '../../../gateway/config/config-error.ts';
import { loadConfig, type Config } from '../../../gateway/config/load.ts';

interface Sources {
  readonly file?: string;
  readonly environment?: Record<string, string>;
  readonly overrides?: Record<string, string>;
}

function load(t: TestContext, { file, environment = {}, overrides = {} }: Sources) {
  return loadConfig({
    configFile: file === undefined ? undefined : writeConfig(t, file),
    environment,
    overrides: new Map(Object.entries(overrides)),
  });
}

function writeConfig(t: TestContext, content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'qinling-config-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'qinling.conf');
  writeFileSync(path, content);
  return path;
}

function faultsOf(t: TestContext, sources: Sources): string[] {
  try {
    load(t, sources);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message.split('\n').map((line) => line.replace(/^.*qinling\.conf/, 'FILE'));
  }
  return [];
}

describe('the configuration', () => {
  test('has a default for every option', (t) => {
    const { config, warnings } = load(t, {});
    assert.deepEqual(warnings, []);
    assert.deepEqual([config.api.host, config.api.port, config.internal.port], ['127.0.0.1', 7070, 7071]);
    assert.deepEqual([config.resourceLimits.maxCpu, config.resourceLimits.maxTimeout], [4000, 900]);
    assert.equal(config.resourceLimits.maxMemory, 4 * 1024 ** 3);
    assert.deepEqual(config.cors.allowedOrigin, []);
    assert.equal(config.database.synchronous, 'normal');
  });

  test('takes the command line before the environment before the file', (t) => {
    const file = '[api]\nport = 1\nhost = ::1\nmax_body_bytes = 4096\n[cors]\nallowed_origin = http://a, http://b';
    const environment = { QINLING_API_PORT: '2', QINLING_API_HOST: '::' };
    const { config } = load(t, { file, environment, overrides: { 'api.port': '3' } });
    assert.deepEqual([config.api.port, config.api.host, config.api.maxBodyBytes], [3, '::', 4096]);
    assert.deepEqual(config.cors.allowedOrigin, ['http://a', 'http://b']);
  });

  test('reads options of every group from the environment', (t) => {
    const { config } = load(t, {
      environment: {
        QINLING_DEFAULT_DATA_DIR: '/d',
        QINLING_INTERNAL_PORT: '0',
        QINLING_RESOURCE_LIMITS_MAX_TIMEOUT: '60',
        QINLING_OSLO_MIDDLEWARE_ENABLE_PROXY_HEADERS_PARSING: 'True',
      },
    });
    assert.deepEqual([config.default.dataDir, config.internal.port], ['/d', 0]);
    assert.equal(config.resourceLimits.maxTimeout, 60);
    assert.equal(config.osloMiddleware.enableProxyHeadersParsing, true);
  });

  test('tells all faults at once, each with its place', (t) => {
    const file = '[api]\nport = 70707\nprot = 1\n[apy]\nport = 1\n[database]\nsynchronous = maybe\nnonsense';
    assert.deepEqual(faultsOf(t, { file, environment: { QINLING_LOCAL_WORKERS: '2x', QINLING_API_PROT: '1' } }), [
      'FILE:8: is neither [group] nor option = value',
      'FILE:3: [api] prot is not an option',
      'FILE:4: [apy] is not a group of options',
      'QINLING_API_PROT is not an option',
      "FILE:2: [api] port: '70707' must be from 0 to 65535",
      "QINLING_LOCAL_WORKERS: '2x' must be a whole number",
      "FILE:7: [database] synchronous: 'maybe' must be one of normal, full",
    ]);
    assert.deepEqual(faultsOf(t, { overrides: { 'api.port': 'x' } }), ["--port: 'x' must be a whole number"]);
  });

  test('knows no options but its own, whatever objects inherit', (t) => {
    const file = '[constructor]\nname = 1\n[__proto__]\na = 1\n[api]\nconstructor = 1\n__proto__ = 1';
    assert.equal(faultsOf(t, { file }).length, 4);
  });

  test('tells of a file that cannot be read', () => {
    const sources = { configFile: '/nowhere/qinling.conf', environment: {}, overrides: new Map<string, string>() };
    assert.throws(() => loadConfig(sources), /^Error: \/nowhere\/qinling.conf: cannot be read \(ENOENT\)$/);
  });

  test('warns of what the Python Qinling had and this one does not', (t) => {
    const file = `[DEFAULT]\nlog_file = /x\n[api]\napi_workers = 4\n[etcd]\nhost = e\n[keystone_authtoken]\npassword = p
[database]\nconnection = mysql+pymysql://u:hunter2@h/qinling\n[engine]\nsidecar_image = i\nfunction_concurrency = 5`;
    const { config, warnings } = load(t, { file, environment: { QINLING_KUBERNETES_LOG_DEVEL: 'ERROR' } });
    assert.equal(warnings.length, 7);
    assert.ok(warnings.every((warning) => warning.endsWith('has no effect')));
    assert.ok(!warnings.join().includes('hunter2'));
    assert.equal(config.database.connection, '');
    assert.equal(config.engine.functionConcurrency, 5);
  });

  test('refuses TLS while there is none', (t) => {
    const [fault, ...others] = faultsOf(t, { file: '[api]\nenable_ssl_api = on' });
    assert.match(fault!, /TLS is not available yet/);
    assert.deepEqual(others, []);
  });

  test('never leaves it open whether callers are authenticated', (t) => {
    const auth = (text: string) => faultsOf(t, { file: text }).join();
    const ON = '[auth]\ntype = static\ncredentials_file = users.yaml\n';
    assert.equal(auth(ON), '');
    assert.equal(auth(`${ON}[pecan]\nauth_enable = true`), '');
    assert.equal(auth('[pecan]\nauth_enable = false\n[auth]\ntype = none'), '');
    assert.match(auth('[pecan]\nauth_enable = true'), /auth_enable needs an authenticator/);
    assert.match(auth(`${ON}[pecan]\nauth_enable = false`), /auth_enable is false, but \[auth\] type is static/);
    assert.match(auth('[auth]\ntype = static'), /type = static needs a credentials_file/);
    assert.match(auth('[auth]\ncredentials_file = users.yaml'), /credentials_file needs \[auth\] type = static/);
  });

  test('listens on loopback unless callers are authenticated or it says otherwise', (t) => {
    const host = (environment: Record<string, string>) => load(t, { environment }).config.api.host;
    const on = { QINLING_AUTH_TYPE: 'static', QINLING_AUTH_CREDENTIALS_FILE: 'users.yaml' };
    assert.equal(host({}), '127.0.0.1');
    assert.equal(host(on), '0.0.0.0');
    assert.equal(host({ ...on, QINLING_API_HOST: '::1' }), '::1');
    assert.equal(load(t, { environment: on }).config.auth.credentialsFile, resolve('users.yaml'));
  });

  test('takes a database file by its absolute path only', (t) => {
    const given = (text: string) => ({ environment: { QINLING_DATABASE_CONNECTION: text } });
    assert.equal(load(t, given('sqlite:////v/q.sqlite')).config.database.connection, 'sqlite:////v/q.sqlite');
    for (const text of ['sqlite:///q.sqlite', 'sqlite://', 'sqlite:///:memory:']) {
      assert.match(faultsOf(t, given(text)).join(), /^\[database\] connection needs an absolute path: sqlite:\/\/\/\//);
    }
  });

  test('takes a public endpoint that webhook URLs can begin with, and no other', (t) => {
    const endpointOf = (text: string) =>
      load(t, { environment: { QINLING_DEFAULT_QINLING_ENDPOINT: text } }).config.default.qinlingEndpoint;
    assert.equal(endpointOf(''), '');
    assert.equal(endpointOf('https://f.example.org/qinling//'), 'https://f.example.org/qinling');
    assert.equal(endpointOf('http://[::1]:7070'), 'http://[::1]:7070');
    const bad = [
      'f.example.org',
      '/qinling',
      'ftp://h',
      'http://',
      'http://h/v1',
      'http://h/v1/',
      'http://h?x',
      'http://u@h',
    ];
    for (const text of bad) {
      const faults = faultsOf(t, { environment: { QINLING_DEFAULT_QINLING_ENDPOINT: text } });
      assert.match(faults.join(), /^\[DEFAULT\] qinling_endpoint must be a URL such as /, text);
    }
  });

  test('refuses limits that contradict each other', (t) => {
    const environment = { QINLING_RESOURCE_LIMITS_MIN_CPU: '5000', QINLING_RESOURCE_LIMITS_DEFAULT_TIMEOUT: '901' };
    assert.deepEqual(faultsOf(t, { environment }), [
      '[resource_limits] min_cpu is above max_cpu',
      '[resource_limits] default_timeout is not between min_timeout and max_timeout',
    ]);
  });

  test('tells of a contradiction beside other faults, but of none with a value that is faulty itself', (t) => {
    const environment = {
      QINLING_AUTH_TYPE: 'x',
      QINLING_RESOURCE_LIMITS_MIN_CPU: 'x',
      QINLING_RESOURCE_LIMITS_DEFAULT_CPU: '40',
      QINLING_RESOURCE_LIMITS_MAX_CPU: '50',
      QINLING_RESOURCE_LIMITS_MIN_TIMEOUT: '6',
    };
    assert.deepEqual(faultsOf(t, { environment }), [
      "QINLING_AUTH_TYPE: 'x' must be one of none, static",
      "QINLING_RESOURCE_LIMITS_MIN_CPU: 'x' must be a whole number",
      '[resource_limits] default_timeout is not between min_timeout and max_timeout',
    ]);
  });

  test('leaves the variables of agents, clients and Kubernetes services alone', (t) => {
    const environment = {
      QINLING_AGENT_NAME: 'a',
      QINLING_URL: 'http://h',
      QINLING_SERVICE_HOST: '10.0.0.1',
      QINLING_PORT: 'tcp://10.0.0.1:7070',
      QINLING_PORT_7070_TCP_ADDR: '10.0.0.1',
    };
    assert.deepEqual(load(t, { environment }).warnings, ['QINLING_URL is for clients and has no effect here']);
  });

  test('keeps the data where the desktop standard says, and the packages with it', (t) => {
    const { config } = load(t, { environment: { XDG_DATA_HOME: '/share' } });
    assert.deepEqual(
      [config.default.dataDir, config.storage.fileSystemDir],
      ['/share/qinling', '/share/qinling/packages'],
    );
  });

  test('gives paths that do not depend on the current directory', (t) => {
    const environment = { QINLING_LOCAL_RUNTIMES_DIR: 'r', QINLING_LOCAL_SEARCH_PATH: 'bin, /bin' };
    const { config } = load(t, { environment, overrides: { 'DEFAULT.data_dir': 'd' } });
    assert.deepEqual(
      [config.default.dataDir, config.local.runtimesDir, ...config.local.searchPath],
      [resolve('d'), resolve('r'), resolve('bin'), '/bin'],
    );
  });

  test('cannot be changed once read', (t) => {
    const { config } = load(t, { environment: { QINLING_CORS_ALLOWED_ORIGIN: '*' } });
    assert.throws(() => Object.assign(config, { api: {} }), TypeError);
    assert.throws(() => Object.assign(config.api, { port: 1 }), TypeError);
    assert.throws(() => (config.cors.allowedOrigin as string[]).push('x'), TypeError);
  });

  test('never shows the text of a secret in a fault', (t) => {
    const faults = faultsOf(t, { file: '[internal]\ntoken = hunter2 # mine' });
    assert.equal(faults.length, 1);
    assert.ok(!faults[0]!.includes('hunter2'));
  });

  test('is read or refused, never crashed by, whatever the file holds', (t) => {
    const path = writeConfig(t, '');
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('[api]', '[DEFAULT]', '[local]', 'port = 1', 'search_path = a,,b', 'data_dir ='),
      fc.tuple(fc.constantFrom('port', 'host', 'toString', '__proto__'), fc.string()).map((pair) => pair.join('=')),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        writeFileSync(path, lines.join('\n'));
        let config: Config;
        try {
          ({ config } = loadConfig({ configFile: path, environment: {}, overrides: new Map() }));
        } catch (error) {
          assert.ok(error instanceof ConfigError, String(error));
          return;
        }
        assert.ok(Number.isInteger(config.api.port));
      }),
      { numRuns: 300 },
    );
  });
});
