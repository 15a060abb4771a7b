import { invalidInput } from '../errors.ts';
import { mimeTypeOf } from '../http/body.ts';
import { readTextFields } from '../http/upload-form.ts';
import { jsonMembers } from './json-members.ts';
import { pythonJson, pythonJsonText } from './python-json.ts';

const MAX_QUERY_ARGUMENTS = 1_000;

/**
 * What a call of a webhook gives the function: JSON text of an object, made of the query and the body. Values of the
 * query and of forms are text. A name that comes more than once gets a list, the query's values before the body's. A
 * body that is neither form nor JSON object gives nothing. Rejects with INVALID_INPUT for files, and for a body that
 * says it is JSON and is not.
 */
export async function readWebhookInput(query: string, contentType: string, body: Buffer): Promise<string> {
  const members: [name: string, json: string][] = [];
  const names = new URLSearchParams(query);
  if (names.size > MAX_QUERY_ARGUMENTS) throw invalidInput('Too many query arguments.');
  for (const [name, value] of names) members.push([name, pythonJson(value)]);
  members.push(...(await readBody(contentType, body)));
  const values = new Map<string, string[]>();
  for (const [name, json] of members) {
    const known = values.get(name);
    if (known === undefined) values.set(name, [json]);
    else known.push(json);
  }
  const parts = [...values].map(([name, texts]) => `${pythonJson(name)}: ${oneOrList(texts)}`);
  return `{${parts.join(', ')}}`;
}

function oneOrList(texts: readonly string[]): string {
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
}

async function readBody(contentType: string, body: Buffer): Promise<[name: string, json: string][]> {
  const mimeType = mimeTypeOf(contentType);
  if (body.length === 0) return [];
  if (mimeType === 'application/x-www-form-urlencoded' || mimeType === 'multipart/form-data') {
    const fields = await readTextFields(body, contentType);
    return fields.map(([name, value]) => [name, pythonJson(value)]);
  }
  return mimeType === 'application/json' || mimeType.endsWith('+json') ? readJson(body.toString()) : [];
}

function readJson(text: string): [name: string, json: string][] {
  const members = jsonMembers(text);
  if (members !== undefined) return [...members].map(([name, json]) => [name, pythonJsonText(json)!]);
  if (pythonJsonText(text) === undefined) throw invalidInput('Request is not in valid JSON format');
  return [];
}
