import type { Api } from './api.js';
import { addPipeline, ai, plain } from './pipelines.js';
import { answering } from './provider-calls.js';
import type { Stage } from './stage.js';

/** Stands in every value that only an admin may see; no id can hold it by chance. */
export const SECRET = 'q4711';
export const SALARY = `salary-${SECRET}`;

/** Answers of the provider by what their prompts begin with; those made from the salary tell it. */
const ANSWERS = {
  'Pay:': `pay-${SECRET}`,
  'Advise:': `advice-${SECRET}`,
  'All:': `all-${SECRET}`,
  'Band:': 'band-top',
  'Hello:': 'hello-open',
};

/** Fields of which one is for admins only, with AI fields made from it near, far, through `{*}`, and one that may be shown. */
const FIELDS = [
  plain('name'),
  plain('salary', { visible_to: ['admin'] }),
  ai('pay', { prompt: 'Pay: {salary} of {name}' }),
  ai('advice', { prompt: 'Advise: {pay}' }),
  ai('all', { prompt: 'All: {*}' }),
  { ...ai('band', { prompt: 'Band: {salary}' }), visible_to: ['editor', 'admin'] },
  ai('hello', { prompt: 'Hello: {name}' }),
];

/** A pipeline about pay, and one user of each role. */
export interface Pay {
  pipelineId: string;
  owner: Api;
  admin: Api;
  editor: Api;
  viewer: Api;
  close(): void;
}

export async function setPay(stage: Stage): Promise<Pay> {
  stage.simulator.script(answering(ANSWERS));
  const owner = await stage.tenant();
  const pipelineId = await addPipeline(owner, FIELDS, 'Pay');
  const [admin, editor, viewer] = [
    await owner.as('admin'),
    await owner.as('editor'),
    await owner.as('viewer'),
  ];
  return {
    pipelineId,
    owner,
    admin,
    editor,
    viewer,
    close: () => [admin, editor, viewer].map((api) => api.close()),
  };
}
