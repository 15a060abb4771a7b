import { resultOf, type Resource } from '../test/support/api.ts';
import type { Product } from './product.ts';

/** The same small function in each language that is measured. */
export const HELLO: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  python3: { 'main.py': "def main(name='World', **kwargs):\n    return 'Hello, %s' % name\n" },
  nodejs: { 'main.js': 'exports.main = (context, { name }) => `Hello, ${name}`;\n' },
};
export const INPUT = { name: 'Qinling' };
export const ANSWER = 'Hello, Qinling';

export const LANGUAGES: readonly string[] = Object.keys(HELLO);

/** Uploads the hello function of a language. */
export function createHello(product: Product, language: string): Promise<Resource> {
  return product.createFunction({ runtime: language, files: HELLO[language]! });
}

/** Calls it, and checks what it returns. */
export async function callHello({ api }: Product, functionId: string): Promise<Resource> {
  const execution = await api.execute(functionId, INPUT);
  const { output } = resultOf(execution);
  if (output !== ANSWER) throw new Error(`the function returned ${JSON.stringify(output)}`);
  return execution;
}

/** The body of a request that calls a function. */
export function callBody(functionId: string, input: unknown = INPUT): string {
  return JSON.stringify({ function_id: functionId, input: JSON.stringify(input) });
}
