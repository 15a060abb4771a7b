const POSITIONAL = '__function_input';

/**
 * What an image function gets as its arguments: words of a text that was the input, items of a list, else the JSON text
 * of the object as one argument. Undefined without an input: the image's own.
 */
export function imageArguments(input: string): string[] | undefined {
  if (input === '') return undefined;
  const given = JSON.parse(input) as Record<string, unknown>;
  const keys = Object.keys(given);
  if (keys.length !== 1 || keys[0] !== POSITIONAL) return [input];
  const positional = given[POSITIONAL];
  if (typeof positional === 'string') return positional.split(/\s+/).filter((word) => word !== '');
  const items: unknown[] = Array.isArray(positional) ? positional : [positional];
  return items.map((item) => (typeof item === 'string' ? item : JSON.stringify(item)));
}
