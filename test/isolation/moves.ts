import type { Random } from '../support/random.js';
import type { Ids } from './ids.js';
import { STOPPED_MODEL, type Side } from './side.js';

/** One call of the API. */
export interface Sent {
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Makes a call of one operation, with the tenant's own words and the ids it is given. */
export type Move = (side: Side, of: Ids, dice: Random) => Sent;

const CSV = { 'content-type': 'text/csv' };
const GROUPS = ['day', 'model', 'provider', 'user', 'pipeline', 'field', 'operation', 'template'];
const MODELS = ['gpt-4o-mini', 'gpt-4.1-mini'];

const at =
  (path: string): Move =>
  () => ({ path });

const CRM: Record<string, Move> = {
  'GET /auth/me': at('/auth/me'),
  'POST /auth/login': (side, of) => ({
    path: '/auth/login',
    body: { email: of.email(), password: side.password },
  }),
  'GET /users': at('/users'),
  'POST /users': (side, _, dice) => ({
    path: '/users',
    body: {
      email: `${side.word()}@example.com`,
      password: side.word(),
      role: dice.pick(['viewer', 'editor', 'admin']),
    },
  }),
  'PATCH /users/{}': (side, of) => ({
    path: `/users/${of.user()}`,
    body: { email: `${side.word()}@example.com` },
  }),
  'DELETE /users/{}': (_, of) => ({ path: `/users/${of.user()}` }),
  'GET /pipelines': at('/pipelines'),
  'POST /pipelines': (side) => ({ path: '/pipelines', body: { name: side.word(), fields: side.fields() } }),
  'GET /pipelines/{}': (_, of) => ({ path: `/pipelines/${of.pipeline()}` }),
  'PATCH /pipelines/{}': (side, of) => ({ path: `/pipelines/${of.pipeline()}`, body: { name: side.word() } }),
  'DELETE /pipelines/{}': (_, of) => ({ path: `/pipelines/${of.spare('pipelines')}` }),
  'POST /pipelines/{}/fields': (side, of, dice) => {
    const slug = `extra_${dice.integer(0, 999_999)}`;
    const relation = { field_type: 'relation', options: { pipeline_id: of.pipeline() } };
    const type = dice.pick([{ field_type: 'text' }, { field_type: 'number' }, relation]);
    return { path: `/pipelines/${of.pipeline()}/fields`, body: { name: side.word(), slug, ...type } };
  },
  'PATCH /pipelines/{}/fields/{}': (side, of, dice) => {
    const [slug, body] = dice.pick<[string, object]>([
      ['name', { name: side.word() }],
      ['note', { sensitive: dice.chance(0.5) }],
      ['summary', { ai_config: { prompt: `${side.word()} {nme}` } }],
      [
        'summary',
        {
          ai_config: {
            model: dice.pick(MODELS),
            prompt: `${side.word()} sums up {name}, {*}`,
            max_tokens: 80,
          },
        },
      ],
    ]);
    return { path: `/pipelines/${of.pipeline()}/fields/${slug}`, body };
  },
  'DELETE /pipelines/{}/fields/{}': (_, of) => {
    const { pipeline, slug } = of.extraField();
    return { path: `/pipelines/${pipeline}/fields/${slug}` };
  },
  'GET /pipelines/{}/records': (_, of) => ({ path: `/pipelines/${of.pipeline()}/records?limit=200` }),
  'POST /pipelines/{}/records': (side, of) => ({
    path: `/pipelines/${of.pipeline()}/records`,
    body: { data: { name: side.word(), note: side.word(), kind: side.mark } },
  }),
  'GET /records/{}': (_, of) => ({ path: `/records/${of.record()}` }),
  'PATCH /records/{}': (side, of, dice) => ({
    path: `/records/${of.record()}`,
    body: { data: { [dice.pick(['name', 'note', 'summary'])]: side.word() } },
  }),
  'DELETE /records/{}': (_, of) => ({ path: `/records/${of.spare('records')}` }),
  'POST /pipelines/{}/import': (side, of, dice) => ({
    path: `/pipelines/${of.pipeline()}/import?generate=${dice.chance(0.5)}`,
    body: `name,note,kind\n${side.word()},"=${side.word()}",${side.mark}\n${side.word()},,${side.word()}\n`,
    headers: CSV,
  }),
};

const AI: Record<string, Move> = {
  'POST /ai-fields/preview': (side, of) => ({
    path: '/ai-fields/preview',
    body: { ...of.draft(), ai_config: { prompt: `${side.word()} {name}` } },
  }),
  'POST /ai-fields/try': (side, of) => ({
    path: '/ai-fields/try',
    body: { ...of.draft(), ai_config: { model: 'gpt-4o-mini', prompt: `${side.word()} {name}` } },
  }),
  'POST /records/{}/ai/{}/generate': (_, of, dice) => ({
    path: `/records/${of.record()}/ai/${dice.pick(['summary', 'shared', 'facts'])}/generate`,
    body: { force: dice.chance(0.5) },
  }),
  'POST /pipelines/{}/ai/{}/generate': (side, of, dice) => ({
    path: `/pipelines/${of.pipeline()}/ai/${dice.pick(['summary', 'shared'])}/generate`,
    body: dice.pick<object>([
      { scope: 'all' },
      { scope: 'stale' },
      { scope: 'all', dry_run: true },
      { scope: 'all', filter: { name: side.word() } },
    ]),
  }),
  'GET /pipelines/{}/ai/states': (_, of) => ({ path: `/pipelines/${of.pipeline()}/ai/states` }),
  'GET /ai-runs/{}': (_, of) => ({ path: `/ai-runs/${of.run()}` }),
  'POST /ai-runs/{}/stop': (_, of) => ({ path: `/ai-runs/${of.run()}/stop`, body: {} }),
  'POST /records/{}/ai/{}/feedback': (side, of) => {
    const { record, field } = of.value();
    return {
      path: `/records/${record}/ai/${field}/feedback`,
      body: { feedback: 'thumbs_up', comment: side.word() },
    };
  },
  'POST /records/{}/ai/{}/stop': (_, of) => ({ path: `/records/${of.record()}/ai/summary/stop`, body: {} }),
  'POST /records/{}/ai/{}/reset': (_, of) => ({
    path: `/records/${of.overridden()}/ai/summary/reset`,
    body: {},
  }),
  'GET /records/{}/ai/{}/history': (_, of) => {
    const { record, field } = of.value();
    return { path: `/records/${record}/ai/${field}/history` };
  },
  'POST /records/{}/ai/{}/restore': (_, of) => {
    const { record, field, execution } = of.value();
    return { path: `/records/${record}/ai/${field}/restore`, body: { execution_id: execution } };
  },
  'POST /workflow-ai': (side, _, dice) => ({
    path: '/workflow-ai',
    body: {
      node_config: { node_id: side.word(), model: 'gpt-4o-mini', prompt: `${side.word()} of {topic}` },
      workflow_context: { topic: side.word() },
      execution_id: side.word(),
      wait: dice.chance(0.5),
    },
  }),
  'GET /ai-jobs': (_, of, dice) => ({
    path: `/ai-jobs?limit=200${dice.pick(['', `&record_id=${of.record()}`, `&run_id=${of.run()}`, `&pipeline_id=${of.pipeline()}`])}`,
  }),
  'GET /ai-jobs/{}': (_, of) => ({ path: `/ai-jobs/${of.job()}` }),
  'POST /ai-jobs/{}/retry': (_, of) => ({ path: `/ai-jobs/${of.jobThatIs('failed')}/retry`, body: {} }),
  'POST /ai-jobs/{}/cancel': (_, of) => ({ path: `/ai-jobs/${of.jobThatIs('open')}/cancel`, body: {} }),
  'GET /ai-jobs/worker_health': at('/ai-jobs/worker_health'),
  'POST /ai-jobs/bulk_retry': (_, of, dice) => ({
    path: '/ai-jobs/bulk_retry',
    body: dice.pick<object>([
      { ids: [of.job(), of.job()] },
      { filter: { status: 'failed' } },
      { filter: { pipeline_id: of.pipeline() } },
    ]),
  }),
  'POST /ai-jobs/queue_pending': () => ({ path: '/ai-jobs/queue_pending', body: {} }),
  'GET /ai-jobs/diagnostics': at('/ai-jobs/diagnostics'),
};

const ADMIN: Record<string, Move> = {
  'GET /ai-settings': at('/ai-settings'),
  'PATCH /ai-settings': (side, _, dice) => ({
    path: '/ai-settings',
    body: dice.pick<object>([
      { default_model: dice.pick(MODELS), default_max_tokens: 300 },
      { denied_fields: [`${side.mark}secret`] },
      { monthly_budget_cents: dice.pick([null, 50]) },
    ]),
  }),
  'GET /provider-keys': at('/provider-keys'),
  'PUT /provider-keys/{}': (side, _, dice) => ({
    path: `/provider-keys/${dice.pick(['openai', 'openai_compatible'])}`,
    body: side.key(),
  }),
  // Not the one that most calls go by.
  'DELETE /provider-keys/{}': () => ({ path: '/provider-keys/openai_compatible' }),
  'POST /provider-keys/{}/test': () => ({ path: '/provider-keys/openai/test', body: {} }),
  'GET /budgets': at('/budgets'),
  'PUT /budgets/{}/{}': (_, of, dice) => ({
    path: `/budgets/${budget(of, dice)}`,
    body: { limit_cents: dice.pick([0.001, 20]) },
  }),
  'DELETE /budgets/{}/{}': (_, of) => ({ path: `/budgets/${of.limit()}` }),
  'POST /budgets/{}/{}/retry_blocked': (_, of, dice) => ({
    path: `/budgets/${budget(of, dice)}/retry_blocked`,
    body: {},
  }),
  'GET /budgets/unconfirmed': at('/budgets/unconfirmed'),
  'POST /budgets/unconfirmed/{}/{}/{}/release': (_, of) => {
    const { job, attempt, n } = of.unconfirmed();
    return { path: `/budgets/unconfirmed/${job}/${attempt}/${n}/release`, body: {} };
  },
  'GET /stopped-models': at('/stopped-models'),
  'DELETE /stopped-models/{}/{}': () => ({ path: `/stopped-models/openai/${STOPPED_MODEL}` }),
  'GET /model-prices': at('/model-prices'),
  'PUT /model-prices': (side) => ({ path: '/model-prices', body: side.price() }),
  'DELETE /model-prices': (side) => ({
    path: `/model-prices?provider=openai_compatible&model=${side.mark}&effective_from=${new Date().toISOString().slice(0, 10)}`,
  }),
  'GET /audit-log': (_, of, dice) => ({
    path: `/audit-log?limit=200${dice.pick(['', '&format=csv', `&subject_id=${of.pipeline()}`])}`,
  }),
  'GET /ai-analytics/usage': (_, __, dice) => ({ path: `/ai-analytics/usage?group_by=${dice.pick(GROUPS)}` }),
  'GET /ai-analytics/costs': (_, __, dice) => ({
    path: `/ai-analytics/costs?group_by=${dice.pick(GROUPS)}${dice.pick(['', '&format=csv'])}`,
  }),
  'GET /ai-analytics/performance': at('/ai-analytics/performance'),
};

function budget(of: Ids, dice: Random): string {
  return dice.pick(['tenant/self', `user/${of.user()}`, `field/${of.pipeline()}:summary`]);
}

/** Every operation that a tenant can call, by its method and path with the parameters left out. */
export const MOVES: Readonly<Record<string, Move>> = { ...CRM, ...AI, ...ADMIN };

/** Operations without a move, and why. */
export const NOT_MOVED: Readonly<Record<string, string>> = {
  'POST /auth/register': 'Both tenants come into being by it.',
  'GET /events': 'Both tenants read it all the time.',
  'PATCH /auth/me': 'It ends the sign-in that all other calls are made with.',
};

/** Operations that take any id as a filter: another's finds nothing, which is not refused. */
export const FILTERS: readonly string[] = [
  'GET /ai-jobs',
  'GET /audit-log',
  'POST /ai-jobs/bulk_retry',
  'POST /ai-jobs/queue_pending',
];
