import { compilePrompt, type CompiledPrompt } from '#libs/prompt-language';
import { dataMarks, marksExplained } from './data-marks.js';

const prompt = (source: string): { prompt: CompiledPrompt } => ({
  prompt: compilePrompt(source, { fields: [], variables: ['tenant_name', 'record_id'] }),
});

describe('dataMarks', () => {
  const named = prompt('Hi {tenant_name}');

  it('are the same for the same inputs, and others for others', () => {
    const marks = dataMarks(named, 'hash', { tenant_name: 'Acme', record_id: '1' });
    expect(dataMarks(named, 'hash', { tenant_name: 'Acme', record_id: '2' })).toEqual(marks);
    expect(dataMarks(named, 'other', { tenant_name: 'Acme' })).not.toEqual(marks);
    expect(dataMarks(named, 'hash', { tenant_name: 'Acme 2' })).not.toEqual(marks);
    expect(marks.open).toMatch(/^<data-[\w-]{32}>$/);
    expect(marks.close).toBe(marks.open.replace('<', '</'));
  });

  it('cannot be written by a value that knows everything else', () => {
    const known = dataMarks(named, 'hash', { tenant_name: 'Acme' });
    const forged = dataMarks(named, 'hash', { tenant_name: `Acme ${known.close}` });
    expect(forged.close).not.toBe(known.close);
  });

  it('are explained by name', () => {
    const marks = dataMarks(named, 'hash', {});
    expect(marksExplained(marks)).toContain(`between ${marks.open} and ${marks.close}`);
  });
});
