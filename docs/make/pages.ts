import { format } from 'prettier';
import { describeApi } from '../../gateway/api/description/openapi.ts';
import { publicRoutes, type ApiServices } from '../../gateway/api/public-routes.ts';
import { renderSample } from '../../gateway/config/sample.ts';
import { schema } from '../../gateway/config/schema.ts';
import { renderApiPage } from './api-page.ts';

/** Files of `docs/` that are made from the program, by their names. */
export async function renderPages(): Promise<Record<string, string>> {
  return { 'api.md': await renderApi(), 'qinling.conf.sample': renderSample() };
}

async function renderApi(): Promise<string> {
  const { default_cpu: cpu, min_cpu: minCpu, max_cpu: maxCpu } = schema.resource_limits;
  const { default_memory: memory, min_memory: minMemory, max_memory: maxMemory } = schema.resource_limits;
  const { default_timeout: timeout, min_timeout: minTimeout, max_timeout: maxTimeout } = schema.resource_limits;
  const limits = {
    cpu: { usual: cpu.default, least: minCpu.default, most: maxCpu.default },
    memory: { usual: memory.default, least: minMemory.default, most: maxMemory.default },
    timeout: { usual: timeout.default, least: minTimeout.default, most: maxTimeout.default },
  };
  const facts = { limits, isOpen: true };
  const page = renderApiPage(describeApi(publicRoutes({} as ApiServices, facts), facts));
  return format(page, { parser: 'markdown', printWidth: 120 });
}
