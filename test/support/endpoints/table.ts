import type { Action, Subject } from '#libs/access';
import type { Endpoint, Role } from './endpoint.js';
import {
  failedJob,
  fieldLimit,
  lostCall,
  overridden,
  ownKey,
  ownPrice,
  spareField,
  sparePipeline,
  sparePrincipal,
  spareRecord,
  spareUser,
  stoppedModel,
} from './world.js';

type More = Omit<Endpoint, 'least' | 'needs' | 'method' | 'path'>;

/** A line of the table: the least role, what the rules must allow, the endpoint below `/api/v1`. */
function row(least: Role, needs: `${Action} ${Subject}`, endpoint: string, more: More = {}): Endpoint {
  const [method, path] = endpoint.split(' ') as [string, string];
  const [action, subject] = needs.split(' ') as [Action, Subject];
  const at = more.at === undefined ? undefined : `/api/v1${more.at}`;
  return { least, needs: [action, subject], method, path: `/api/v1${path}`, ...more, at };
}

function open(least: 'anybody' | 'operators', endpoint: string, more: More = {}): Endpoint {
  const [method, path] = endpoint.split(' ') as [string, string];
  return { least, method, path, ...more };
}

const DRAFT = { pipeline_id: '{pipeline}', ai_config: { prompt: 'Of <note>', model: 'gpt-4o-mini' } };
const CSV = { contentType: 'text/csv', body: 'name\nGrace' };
const NODE = {
  node_config: { node_id: 'n', model: 'gpt-4o-mini', prompt: 'Of <lead>' },
  workflow_context: { lead: 'Ada' },
  execution_id: 'e',
};
const NEW_PRICE = { provider: 'openai', model: 'own-model', context_window: 1000, input: 1, output: 2 };
const SUMMARY = '/pipelines/{pipeline}/ai/{field}/generate';
const OF_SUMMARY = { at: '/pipelines/{pipeline}/ai/summary/generate' };
const VALUE = '/records/{record}/ai/{field}';
const of = (action: string, body: unknown = {}): More => ({
  at: `/records/{record}/ai/summary/${action}`,
  body,
});
const BUDGET = '/budgets/{scope}/{scope_id}';
const LIMIT = { at: '/budgets/field/{pipeline}:cut', body: { limit_cents: 100_000 } };

/**
 * Every endpoint there is and the least role that may use it. A test compares it with the contract: an endpoint that is
 * new belongs here before anything else.
 */
export const ENDPOINTS: Endpoint[] = [
  open('anybody', 'GET /'),
  open('anybody', 'GET /health/live'),
  open('anybody', 'GET /health/ready'),
  open('anybody', 'GET /metrics'),
  open('anybody', 'POST /api/v1/auth/register', {
    body: { tenant_name: 'New', email: '{fresh}@example.com', password: 'correct horse' },
  }),
  open('anybody', 'POST /api/v1/auth/login', { body: { email: '{email}', password: 'correct horse' } }),
  open('operators', 'GET /admin/queues'),

  row('viewer', 'read Pipeline', 'GET /auth/me'),
  row('viewer', 'read Pipeline', 'PATCH /auth/me', {
    body: { current_password: '{password}', new_password: 'battery staple' },
    anew: sparePrincipal,
  }),
  row('viewer', 'read Pipeline', 'GET /pipelines'),
  row('viewer', 'read Pipeline', 'GET /pipelines/{pipeline}'),
  row('viewer', 'read Record', 'GET /pipelines/{pipeline}/records'),
  row('viewer', 'read Record', 'GET /records/{record}'),
  row('viewer', 'read AiValue', 'GET /pipelines/{pipeline}/ai/states'),
  row('viewer', 'read AiValue', `GET ${VALUE}/history`, { at: '/records/{record}/ai/summary/history' }),
  row('viewer', 'read Run', 'GET /ai-runs/{run}'),
  row('viewer', 'read Event', 'GET /events', { isStream: true }),

  row('editor', 'write Record', 'POST /pipelines/{pipeline}/records', { body: { data: { name: 'Grace' } } }),
  row('editor', 'write Record', 'PATCH /records/{record}', { body: { data: { note: 'changed' } } }),
  row('editor', 'write Record', 'DELETE /records/{record}', { anew: spareRecord }),
  row('editor', 'write Record', 'POST /pipelines/{pipeline}/import', CSV),
  row('editor', 'generate AiValue', `POST ${VALUE}/generate`, of('generate')),
  row('editor', 'generate AiValue', `POST ${VALUE}/stop`, of('stop')),
  row('editor', 'write AiValue', `POST ${VALUE}/feedback`, of('feedback', { feedback: 'thumbs_up' })),
  row('editor', 'write AiValue', `POST ${VALUE}/reset`, { ...of('reset'), anew: overridden }),
  row('editor', 'write AiValue', `POST ${VALUE}/restore`, of('restore', { execution_id: '{execution}' })),
  row('editor', 'generate AiValue', `POST ${SUMMARY}`, {
    ...OF_SUMMARY,
    body: { scope: 'all', dry_run: true },
  }),
  row('editor', 'generate AiValue', `POST ${SUMMARY}`, { ...OF_SUMMARY, body: { scope: 'failed' } }),
  row('editor', 'cancel Run', 'POST /ai-runs/{run}/stop'),
  row('editor', 'generate AiValue', 'POST /workflow-ai', { body: NODE }),
  row('editor', 'read Job', 'GET /ai-jobs'),
  row('editor', 'read Job', 'GET /ai-jobs/{job}', { anew: failedJob }),
  row('editor', 'write Job', 'POST /ai-jobs/{job}/retry', { anew: failedJob }),
  row('editor', 'cancel Job', 'POST /ai-jobs/{job}/cancel', { anew: failedJob }),

  row('admin', 'configure Pipeline', 'POST /pipelines', { body: { name: 'More' } }),
  row('admin', 'configure Pipeline', 'PATCH /pipelines/{pipeline}', { body: { name: 'Zyxwvut leads' } }),
  row('admin', 'configure Pipeline', 'DELETE /pipelines/{pipeline}', { anew: sparePipeline }),
  row('admin', 'configure Pipeline', 'POST /pipelines/{pipeline}/fields', {
    body: { name: 'Further', field_type: 'text' },
  }),
  row('admin', 'configure Pipeline', 'PATCH /pipelines/{pipeline}/fields/{field}', {
    at: '/pipelines/{pipeline}/fields/note',
    body: { name: 'Note' },
  }),
  row('admin', 'configure Pipeline', 'DELETE /pipelines/{pipeline}/fields/{field}', { anew: spareField }),
  row('admin', 'configure AiField', 'POST /ai-fields/preview', { body: DRAFT }),
  row('admin', 'configure AiField', 'POST /ai-fields/try', { body: DRAFT }),
  row('admin', 'read JobQueue', 'GET /ai-jobs/worker_health'),
  row('admin', 'read JobQueue', 'GET /ai-jobs/diagnostics'),
  row('admin', 'write JobQueue', 'POST /ai-jobs/queue_pending'),
  row('admin', 'write JobQueue', 'POST /ai-jobs/bulk_retry', { body: { ids: ['{job}'] }, foreign: 200 }),
  row('admin', 'read Settings', 'GET /ai-settings'),
  row('admin', 'configure Settings', 'PATCH /ai-settings', { body: { default_max_tokens: 500 } }),
  row('admin', 'read ProviderKey', 'GET /provider-keys', { anew: ownKey }),
  row('admin', 'configure ProviderKey', 'PUT /provider-keys/{provider}', {
    at: '/provider-keys/anthropic',
    body: { api_key: 'sk-ant-another-0002' },
  }),
  row('admin', 'configure ProviderKey', 'DELETE /provider-keys/{provider}', {
    at: '/provider-keys/anthropic',
    anew: ownKey,
  }),
  row('admin', 'configure ProviderKey', 'POST /provider-keys/{provider}/test', {
    at: '/provider-keys/openai/test',
  }),
  row('admin', 'read Budget', 'GET /budgets'),
  row('admin', 'configure Budget', `PUT ${BUDGET}`, LIMIT),
  row('admin', 'configure Budget', `DELETE ${BUDGET}`, { at: LIMIT.at, anew: fieldLimit }),
  row('admin', 'configure Budget', `POST ${BUDGET}/retry_blocked`, { at: `${LIMIT.at}/retry_blocked` }),
  row('admin', 'configure Budget', 'GET /budgets/unconfirmed'),
  row('admin', 'configure Budget', 'POST /budgets/unconfirmed/{lost}/{attempt}/{n}/release', {
    at: '/budgets/unconfirmed/{lost}/1/1/release',
    anew: lostCall,
  }),
  row('admin', 'configure Budget', 'GET /stopped-models'),
  row('admin', 'configure Budget', 'DELETE /stopped-models/{provider}/{model}', {
    at: '/stopped-models/openai/Zyxwvut',
    anew: stoppedModel,
  }),
  row('admin', 'read ModelPrice', 'GET /model-prices'),
  row('admin', 'configure ModelPrice', 'PUT /model-prices', { body: NEW_PRICE }),
  row('admin', 'configure ModelPrice', 'DELETE /model-prices', {
    at: '/model-prices?provider=openai&model=Zyxwvut&effective_from={day}',
    anew: ownPrice,
  }),
  row('admin', 'read AuditLog', 'GET /audit-log'),
  row('admin', 'read AuditLog', 'GET /audit-log', { at: '/audit-log?format=csv' }),
  row('admin', 'read Analytics', 'GET /ai-analytics/usage'),
  row('admin', 'read Analytics', 'GET /ai-analytics/costs'),
  row('admin', 'read Analytics', 'GET /ai-analytics/costs', { at: '/ai-analytics/costs?format=csv' }),
  row('admin', 'read Analytics', 'GET /ai-analytics/performance'),

  row('owner', 'manage User', 'GET /users'),
  row('owner', 'manage User', 'POST /users', {
    body: { email: '{fresh}@example.com', password: 'correct horse', role: 'viewer' },
  }),
  row('owner', 'manage User', 'PATCH /users/{user}', { body: { role: 'viewer' } }),
  row('owner', 'manage User', 'DELETE /users/{user}', { anew: spareUser }),
];
