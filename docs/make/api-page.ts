import type { OpenApi } from '../../gateway/api/description/openapi.ts';

/** The parts of a schema that the page shows. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | null)[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly contentMediaType?: string;
  readonly default?: string | number | boolean;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Properties;
  readonly items?: Schema;
  readonly $ref?: string;
  readonly 'x-without-effect'?: boolean;
}

type Properties = Readonly<Record<string, Schema | undefined>>;
type Schemas = Readonly<Record<string, Schema | undefined>>;
type Content = Readonly<Record<string, { readonly schema: Schema }>>;

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly schema: Schema;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

const HEAD = `# REST API

<!-- Made from the program: npm run docs -->

Every gateway describes itself as OpenAPI 3.1 at \`GET /v1/openapi.json\`; this page is that description for people, with
the limits of the default configuration.
`;

const FORMATS: Readonly<Record<string, string>> = { uuid: 'UUID', 'date-time': 'time', uri: 'URL' };
const TYPES: Readonly<Record<string, string>> = { string: 'text' };
const ENCODINGS: Readonly<Record<string, string>> = {
  'application/json': 'JSON',
  'multipart/form-data': 'multipart form',
  'application/x-www-form-urlencoded': 'urlencoded form',
};

/** The page of an API's description. */
export function renderApiPage({ info, tags, paths, components }: OpenApi): string {
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, described]) => {
      return { ...(described as unknown as Operation), method: method.toUpperCase(), path };
    }),
  );
  const sections = tags.map(({ name }) => {
    const own = operations.filter((operation) => operation.tags.includes(name));
    return renderSection(name, own, components.schemas);
  });
  return [HEAD, info.description, ...sections].join('\n\n');
}

function renderSection(name: string, operations: readonly Operation[], schemas: Schemas): string {
  const titles = new Set(operations.flatMap(answeredTitles));
  const resources = [...titles].map((title) => renderResource(title, schemas));
  return [`## ${name}`, ...resources, ...operations.map(renderOperation)].join('\n\n');
}

/** The names of the schemas of single records in an operation's answers. */
function answeredTitles({ responses }: Operation): string[] {
  return Object.entries(responses).flatMap(([status, { content }]) => {
    const title = isSuccess(status) ? titleOf(content?.['application/json']?.schema) : undefined;
    return title === undefined ? [] : [title];
  });
}

function renderResource(title: string, schemas: Schemas): string {
  const shown = schemas[title]?.properties ?? {};
  const listed = schemas[`${title}ListItem`]?.properties ?? {};
  const create = bodyOf(`${title}Create`, schemas);
  const change = bodyOf(`${title}Change`, schemas)?.properties ?? {};
  const given = create?.properties ?? {};
  const names = [...new Set([...Object.keys(shown), ...Object.keys(given), ...Object.keys(change)])];
  const rows = names.map((name) => {
    const isRequired = create?.required?.includes(name) === true;
    return [
      `\`${name}\``,
      attributeType(shown[name] ?? given[name] ?? {}, given[name], listed[name]),
      isRequired ? 'required' : isTaken(given[name]) ? 'yes' : '',
      isTaken(change[name]) ? 'yes' : '',
      attributeHelp(shown[name] ?? given[name] ?? {}, given[name]),
    ];
  });
  const heading = ['attribute', 'type', 'create', 'change', ''];
  return [`### ${title}`, schemas[title]?.description ?? '', table(heading, rows)].join('\n\n');
}

/** The schema of a body; that of a form, which can hold files, goes before. */
function bodyOf(title: string, schemas: Schemas): Schema | undefined {
  return schemas[`${title}Form`] ?? schemas[title];
}

function isTaken(schema: Schema | undefined): boolean {
  return schema !== undefined && schema['x-without-effect'] !== true;
}

/** What is shown, in the range that is taken. */
function attributeType(shown: Schema, { minimum, maximum }: Schema = {}, listed: Schema | undefined): string {
  const type = typeText({ ...shown, ...(minimum === undefined ? undefined : { minimum, maximum }) });
  const listType = listed === undefined ? type : typeText(listed);
  return listed === undefined || typeText(listed) === typeText(shown) ? type : `${type} (in lists: ${listType})`;
}

function attributeHelp({ description = '' }: Schema, { default: usual }: Schema = {}): string {
  return usual === undefined ? description : `${description} Default: \`${usual}\`.`;
}

function renderOperation(operation: Operation): string {
  const { method, path, summary, description, parameters = [], requestBody } = operation;
  const rows = parameters
    .filter(({ name, in: place }) => place !== 'path' || name !== 'id') // goes without saying
    .map(({ name, in: place, schema, description: help }) => [`\`${name}\``, place, typeText(schema), help]);
  const encodings = Object.keys(requestBody?.content ?? {}).map((type) => ENCODINGS[type] ?? type);
  return [
    `### ${method} ${path}`,
    `${summary}. ${description}`,
    ...(rows.length === 0 ? [] : [table(['argument', 'in', 'type', ''], rows)]),
    [...(encodings.length === 0 ? [] : [`Body: ${encodings.join(', ')}.`]), renderAnswers(operation)].join(' '),
  ].join('\n\n');
}

function renderAnswers({ responses }: Operation): string {
  const statuses = Object.keys(responses).filter((status) => status !== 'default');
  const answers = statuses.filter(isSuccess).map((status) => renderAnswer(status, responses[status]?.content));
  const errors = statuses.filter((status) => !isSuccess(status));
  return `Answers ${answers.join(', ')}${errors.length === 0 ? '' : `; errors ${errors.join(', ')}`}.`;
}

function renderAnswer(status: string, content: Content | undefined): string {
  if (content === undefined) return `**${status}** without a body`;
  const bodies = Object.entries(content).map(([type, { schema }]) => {
    const list = Object.entries(schema.properties ?? {}).find(([, property]) => property?.items?.$ref !== undefined);
    if (list !== undefined) return `\`${list[0]}\`, a list of ${titleOf(list[1]?.items)?.replace(/ListItem$/, '')}`;
    return titleOf(schema) ?? ENCODINGS[type] ?? type;
  });
  return `**${status}** with ${bodies.join(' or ')}`;
}

function isSuccess(status: string): boolean {
  return status.startsWith('2');
}

function titleOf(schema: Schema | undefined): string | undefined {
  return schema?.$ref?.slice(schema.$ref.lastIndexOf('/') + 1);
}

/** A schema in a few words. */
function typeText({ type = [], enum: values, format, minimum, maximum, maxLength, contentMediaType }: Schema): string {
  const types = [type].flat();
  const orNull = types.includes('null') ? ' or null' : '';
  if (contentMediaType !== undefined) return `file (${contentMediaType})`;
  if (values !== undefined) {
    const texts = values.filter((value) => value !== null).map((value) => `\`${value}\``);
    return texts.join(', ') + orNull;
  }
  const names = types.filter((name) => name !== 'null').map((name) => TYPES[name] ?? name);
  const name = format === undefined ? names.join(' or ') : (FORMATS[format] ?? format);
  const length = maxLength === undefined ? '' : `of at most ${maxLength} characters`;
  return [name, rangeText(minimum, maximum), length].filter(Boolean).join(' ') + orNull;
}

function rangeText(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return `from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `from ${minimum}`;
  return maximum === undefined ? '' : `to ${maximum}`;
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading, heading.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');
}
