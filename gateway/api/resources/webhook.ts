import type { WebhookRecord } from '../../store/webhook-store.ts';
import { MAX_NAME_LENGTH, formatTime, formatTimeOrNull } from '../fields.ts';
import { COMMON, integer, text, uuid, type Resource } from './declaration.ts';

const name = { maxLength: MAX_NAME_LENGTH, setOn: 'both', isNullable: true } as const;

export const WEBHOOK = {
  name: 'webhook',
  title: 'Webhook',
  listKey: 'webhooks',
  help: 'A public URL that runs a function. Who knows the URL may call it.',
  attributes: {
    ...COMMON,
    function_id: uuid({ setOn: 'both', isNullable: true, help: 'The function; this or `function_alias` is required.' }),
    function_version: integer({
      setOn: 'both',
      isNullable: true,
      default: 0,
      min: 0,
      help: 'A published version; 0 is the function as it is at the call.',
    }),
    function_alias: text({ ...name, help: 'The name of an alias, looked up at each call; goes before `function_id`.' }),
    description: text({ ...name, help: 'For people.' }),
    webhook_url: text({ help: 'Where to send POST requests to.' }),
  },
} as const satisfies Resource;

/** `endpoint`: scheme, host and perhaps a path, where outsiders reach this service. */
export function renderWebhook(record: WebhookRecord, endpoint: string): object {
  return {
    id: record.id,
    function_id: record.functionId,
    function_version: record.functionVersion,
    function_alias: record.functionAlias,
    description: record.description,
    project_id: record.projectId,
    created_at: formatTime(record.createdAt),
    updated_at: formatTimeOrNull(record.updatedAt),
    webhook_url: `${endpoint}/v1/webhooks/${record.id}/invoke`,
  };
}
