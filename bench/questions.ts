import { addedLatency } from './added-latency.bench.ts';
import { asynchronous } from './async.bench.ts';
import { bodies } from './bodies.bench.ts';
import { coldStart } from './cold-start.bench.ts';
import { fairness } from './fairness.bench.ts';
import { kubernetes } from './kubernetes.bench.ts';
import { links } from './links.bench.ts';
import { lists } from './lists.bench.ts';
import { longLists } from './long-lists.bench.ts';
import type { Question } from './question.ts';
import { records } from './records.bench.ts';
import { routing } from './routing.bench.ts';
import { soak } from './soak.bench.ts';
import { warmInvoke } from './warm-invoke.bench.ts';

/** All questions, in the order in which they are asked. */
export const QUESTIONS: readonly Question[] = [
  warmInvoke,
  addedLatency,
  bodies,
  fairness,
  coldStart,
  asynchronous,
  records,
  routing,
  links,
  lists,
  longLists,
  kubernetes,
  soak,
];
