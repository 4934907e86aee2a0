import type { ClaimedJob, ParserRegistry } from '#libs/processing';
import type { TenantSettings } from '#libs/tenants';
import { WorkflowNodeProcess } from './workflow-node.process.js';

describe('the prompt of a workflow node', () => {
  const process = new WorkflowNodeProcess({} as ParserRegistry);
  const input = {
    node: { node_id: 'grade', prompt: 'Grade {{json workflow_data}}' },
    context: { lead: 'Ada', salary: 4711 },
    execution_id: 'execution-7',
  };

  function promptOf(deniedFields: string[]): string {
    const settings = { defaultModel: 'gpt-4o-mini', deniedFields } as unknown as TenantSettings;
    return process.prompt({} as ClaimedJob, { input, settings }).prompt;
  }

  it('has of the context what is not denied by now, though it was not when the context was given', () => {
    expect(promptOf([])).toContain('4711');
    expect(promptOf(['salary'])).toContain('Ada');
    expect(promptOf(['salary'])).not.toContain('4711');
  });
});
