import { formatTable, percentile } from './harness.ts';
import type { Question, QuestionOptions } from './question.ts';
import { LANGUAGES, Product } from './subjects.ts';

const FUNCTIONS = 100;
const SHORT_FUNCTIONS = 50;
const WARM_UPS = 5;

/** From the begin of the upload to the function's first answer. */
interface ColdStart {
  readonly uploadMs: number;
  readonly firstCallMs: number;
}

export const coldStart: Question = {
  name: 'cold-start',
  help: 'From the upload of a new function to its first answer, one function after the other.',
  run: async ({ isShort, cleanUp, print }: QuestionOptions) => {
    const product = await Product.start(cleanUp);
    await product.untilRuntimesAreUp();
    const count = isShort ? SHORT_FUNCTIONS : FUNCTIONS;
    const starts = await measureInTurn(product, count);
    print(format(count, starts));
    return { count, starts };
  },
};

async function measureInTurn(product: Product, count: number): Promise<Record<string, ColdStart[]>> {
  const starts: Record<string, ColdStart[]> = Object.fromEntries(LANGUAGES.map((language) => [language, []]));
  for (let round = -WARM_UPS; round < count; round++) {
    for (const language of LANGUAGES) {
      const start = await measure(product, language);
      if (round >= 0) starts[language]!.push(start);
    }
  }
  return starts;
}

async function measure(product: Product, language: string): Promise<ColdStart> {
  const begunAtMs = performance.now();
  const { id } = await product.createHello(language);
  const uploadedAtMs = performance.now();
  await product.callHello(id);
  const answeredAtMs = performance.now();
  await product.delete(id); // as the next one would else wait for a free worker
  return { uploadMs: uploadedAtMs - begunAtMs, firstCallMs: answeredAtMs - uploadedAtMs };
}

function format(count: number, starts: Readonly<Record<string, readonly ColdStart[]>>): string {
  const parts: Readonly<Record<string, (start: ColdStart) => number>> = {
    'upload to answer': ({ uploadMs, firstCallMs }) => uploadMs + firstCallMs,
    'upload alone': ({ uploadMs }) => uploadMs,
    'first call alone': ({ firstCallMs }) => firstCallMs,
  };
  const rows = Object.entries(starts).flatMap(([language, ofLanguage]) =>
    Object.entries(parts).map(([part, msOf]) => {
      const values = ofLanguage.map(msOf);
      return [`${language}, ${part}`, ...[0.5, 0.99].map((share) => percentile(values, share).toFixed(1))];
    }),
  );
  return `cold-start, ${count} new functions of each language\n${formatTable([['', 'p50 ms', 'p99 ms'], ...rows])}`;
}
