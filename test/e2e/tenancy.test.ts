import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Operation } from '../../gateway/api/operation.ts';
import { RULES } from '../../gateway/auth/rules.ts';
import { openWorld, type Caller, type Project, type Reply } from '../support/tenancy-world.ts';
import { REQUESTS, type TenancyEntry } from './tenancy-requests.ts';

/**
 * Walks every route of the service, as it is assembled, with two projects and an administrator of a third one: who sees
 * and changes what. A route that has no entry in REQUESTS fails.
 */
const cleanUps: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});
const world = await openWorld({ after: (cleanUp) => void cleanUps.push(cleanUp) });
const { nobody, stranger, operator, one, other } = world;
const { operations } = world.gateway;

const nameOf = ({ method, pattern }: Operation): string => `${method} ${pattern}`;
const isList = ({ doc: { answer } }: Operation): boolean => typeof answer === 'object' && 'list' in answer;
const hasProjects = (operation: Operation): boolean => operation.doc.query?.['all_projects'] !== undefined;
const listKeyOf = ({ doc: { answer } }: Operation): string =>
  typeof answer === 'object' && 'list' in answer ? answer.list.listKey : assert.fail('no list');

/** Everything of the project that lists show, as text. */
async function stateOf(project: Project): Promise<string> {
  const lists = operations.filter((operation) => isList(operation) && !operation.pattern.includes(':'));
  const texts = lists.map(async (list) => {
    const query = hasProjects(list) ? `?project_id=${project.name}` : '';
    return JSON.stringify(await project.admin.must('GET', list.pattern + query));
  });
  return (await Promise.all(texts)).join('\n');
}

function assertError({ status, text, json }: Reply, expectedStatus: number, message?: RegExp | string): void {
  assert.equal(status, expectedStatus, text);
  assert.deepEqual(Object.keys(json), ['faultcode', 'faultstring', 'debuginfo'], text);
  if (typeof message === 'string') assert.equal(json['faultstring'], message);
  else if (message !== undefined) assert.match(String(json['faultstring']), message);
}

/** Each project's things are named its mark, so that it is told where they show up. */
function assertShowsNothingOf(project: Project, { text }: Reply): void {
  assert.ok(!text.includes(project.mark), `${project.mark} shows up: ${text}`);
}

describe('every route', () => {
  test('has a rule and an entry in this test', () => {
    assert.deepEqual(
      operations.map(nameOf).filter((name) => !Object.hasOwn(REQUESTS, name)),
      [],
    );
    for (const { rule } of operations) assert.ok(Object.hasOwn(RULES, rule), rule);
  });
});

for (const operation of operations) {
  const entry = REQUESTS[nameOf(operation)];
  if (entry === undefined) continue; // told above
  describe(nameOf(operation), () => walk(operation, entry));
}

function walk(operation: Operation, entry: TenancyEntry): void {
  const { method, rule } = operation;
  const who = RULES[rule];
  const ask = async (caller: Caller): Promise<Reply> => {
    const { path, body } = await entry.request(one);
    return caller.ask(method, path, body);
  };
  /** The same where it must be refused, and change nothing. */
  const askInVain = async (caller: Caller): Promise<Reply> => {
    const { path, body } = await entry.request(one);
    const before = await stateOf(one);
    const reply = await caller.ask(method, path, body);
    assert.equal(await stateOf(one), before, 'nothing was changed');
    return reply;
  };

  if (who === 'public') {
    test('works for everybody', async () => {
      for (const caller of [nobody, stranger, other.member]) assert.equal((await ask(caller)).status, entry.succeeds);
    });
    return;
  }

  test('asks who it is', async () => {
    for (const caller of [nobody, stranger]) {
      const reply = await askInVain(caller);
      assertError(reply, 401);
      assert.match(reply.headers.get('www-authenticate')!, /^Basic realm=/);
      assertShowsNothingOf(one, reply);
    }
  });

  if (isList(operation) && !operation.pattern.includes(':')) return walkList(operation);

  test(who === 'admin' ? 'is nothing for members' : 'works for members of the project', async () => {
    const reply = who === 'admin' ? await askInVain(one.member) : await ask(one.member);
    if (who === 'admin') return assertError(reply, 403, 'Operation not allowed');
    assert.equal(reply.status, entry.succeeds, reply.text);
    if (reply.json['project_id'] !== undefined) assert.equal(reply.json['project_id'], 'one');
  });

  test("works for the project's own administrator", async () => {
    const { status, text } = await ask(one.admin);
    assert.equal(status, entry.succeeds, text);
  });

  test('shows and changes nothing for members of another project', async () => {
    const reply = await askInVain(other.member);
    if (who === 'admin') assertError(reply, 403, 'Operation not allowed');
    else assertError(reply, 404);
    assertShowsNothingOf(one, reply);
  });

  if (entry.toOperator !== undefined || who === 'owner') {
    test('changes nothing for an administrator of another project', async () => {
      const [status, text] = entry.toOperator ?? [404, undefined];
      assertError(await askInVain(operator), status, text);
    });
  } else {
    test('works for an administrator of another project', async () => {
      const { status, text, json } = await ask(operator);
      assert.equal(status, entry.succeeds, text);
      if (json['project_id'] === undefined) return;
      const isNew = method === 'POST' && !operation.pattern.includes(':');
      assert.equal(json['project_id'], isNew ? 'ops' : 'one', 'what he makes is his own, the rest stays where it is');
    });
  }
}

function walkList(operation: Operation): void {
  const { pattern } = operation;
  const list = async (caller: Caller, query = ''): Promise<{ projects: Set<unknown>; reply: Reply }> => {
    const reply = await caller.ask('GET', pattern + query);
    assert.equal(reply.status, 200, reply.text);
    const records = reply.json[listKeyOf(operation)] as { readonly project_id?: unknown }[];
    return { projects: new Set(records.map((record) => record.project_id)), reply };
  };
  const fill = (project: Project) => fillList(operation, project);

  test('shows members and administrators what is of their project', async () => {
    await Promise.all([fill(one), fill(other)]);
    for (const [caller, own, foreign] of [
      [one.member, one, other],
      [other.member, other, one],
      [one.admin, one, other],
    ] as const) {
      const { projects, reply } = await list(caller);
      assert.ok(reply.text.includes(own.mark), reply.text);
      assert.ok(projects.has(own.name));
      assertShowsNothingOf(foreign, reply);
    }
    const { projects } = await list(operator);
    for (const { name } of [one, other]) assert.ok(!projects.has(name), 'an administrator sees his own, too');
  });

  if (!hasProjects(operation)) return;

  test('shows every project to administrators who ask for it', async () => {
    await Promise.all([fill(one), fill(other)]);
    const { projects } = await list(operator, '?all_projects=true');
    assert.ok(projects.has('one') && projects.has('other'));
    const { projects: named, reply } = await list(operator, '?project_id=in:other,nothing');
    assert.deepEqual([...named], ['other']);
    assertShowsNothingOf(one, reply);
    const { projects: negated } = await list(operator, '?project_id=neq:one');
    assert.ok(!negated.has('one') && negated.has('other'));
  });

  test('does not show every project to others, and says so', async () => {
    await fill(one);
    for (const query of ['?all_projects=true', '?all_projects=Yes', '?project_id=one&all_projects=1']) {
      assertError(await other.member.ask('GET', pattern + query), 403, 'Operation not allowed');
    }
    for (const query of ['?all_projects=false', '?project_id=one', '?project_id=neq:other', '?project_id=has:o']) {
      const { projects, reply } = await list(other.member, query);
      assert.ok([...projects].every((project) => project === 'other'));
      assertShowsNothingOf(one, reply);
    }
  });
}

/** Has the list hold something of the project: what the route that makes such records makes. */
async function fillList({ pattern }: Operation, project: Project): Promise<void> {
  const { request } = REQUESTS[`POST ${pattern}`] ?? assert.fail(`no route makes what ${pattern} shows`);
  const { path, body } = await request(project);
  const isForMembers = operations.some(
    (operation) => nameOf(operation) === `POST ${pattern}` && RULES[operation.rule] !== 'admin',
  );
  await (isForMembers ? project.member : project.admin).must('POST', path, body);
}

test('what does not exist is only told to who is known', async () => {
  for (const caller of [nobody, stranger]) {
    assertError(await caller.ask('GET', '/v1/nowhere'), 401);
    assertError(await caller.ask('DELETE', '/v1/functions'), 401);
  }
  assertError(await one.member.ask('GET', '/v1/nowhere'), 404);
  assertError(await one.member.ask('DELETE', '/v1/functions'), 405);
});
