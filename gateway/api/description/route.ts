import type { Operation } from '../operation.ts';
import { describeApi, type ApiFacts } from './openapi.ts';

/** These routes, and one that describes all of them. */
export function withDescription(operations: readonly Operation[], facts: ApiFacts): Operation[] {
  let text: string | undefined;
  const all: Operation[] = [
    ...operations,
    {
      method: 'GET',
      pattern: '/v1/openapi.json',
      rule: 'public',
      doc: {
        summary: 'Describe the API',
        help: 'This description, as OpenAPI 3.1.',
        status: 200,
        answer: { schema: { type: 'object', required: ['openapi', 'info', 'paths'] } },
        errors: [],
      },
      handle: (exchange) => {
        text ??= JSON.stringify(describeApi(all, facts)).slice(1);
        exchange.send(200, `{"servers":${JSON.stringify([{ url: exchange.baseUrl }])},${text}`);
      },
    },
  ];
  return all;
}
